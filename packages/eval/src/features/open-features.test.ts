import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { type Features, openFeatures, openSameWidth } from "./open-features.js";

const rows = [
  [1, 2, 3],
  [4, 5, 6],
];

it("takes tensors, lists of rows, and numbers with a shape", async () => {
  const tensors = [tf.tensor2d(rows), tf.tensor2d(rows, [2, 3], "int32")];
  const inputs: Features[] = [
    ...tensors,
    rows,
    rows.map((row) => Float64Array.from(row)),
    { data: rows.flat(), shape: [2, 3] },
    { data: Float32Array.from(rows.flat()), shape: [2, 3] },
    // A tensor of transformers.js or ONNX Runtime.
    { data: Float32Array.from(rows.flat()), dims: [2, 3], type: "float32", size: 6 } as Features,
  ];
  await expectNoLeaks(async () => {
    for (const input of inputs) {
      const x = await openFeatures("f: features", input);
      expect(x.dtype).toBe("float32");
      expect(await x.array()).toEqual(rows);
      x.dispose();
    }
  });
  expect(tensors.every((tensor) => !tensor.isDisposed)).toBe(true);
  tf.dispose(tensors);
});

it.each<[unknown, string]>([
  [
    null,
    "f: features must be a tensor [n, dim], a list of rows, { data, shape } or a safetensors file, got null",
  ],
  [3, "{ data, shape } or a safetensors file, got 3"],
  [[], "f: features must be [n, dim], n and dim at least 1, got [0,0]"],
  [[[]], "n and dim at least 1, got [1,0]"],
  [[1, 2], "f: features[0] must be an array of numbers, got 1"],
  [[[1], ["2"]], 'f: features[1][0] must be a number, got "2"'],
  [[[1, "2"]], 'f: features[0][1] must be a number, got "2"'],
  [
    [
      [1, 2],
      [3, null],
    ],
    "f: features[1][1] must be a number, got null",
  ],
  [[[true]], "f: features[0][0] must be a number, got true"],
  [{ data: [1, "2"], shape: [1, 2] }, 'f: features.data[1] must be a number, got "2"'],
  [{ data: "12", shape: [1, 2] }, 'f: features.data must be an array of numbers, got "12"'],
  [[[1], [1, 2]], "f: features must have rows of one length, got 1 in row 0 and 2 in row 1"],
  [[[1], [Number.POSITIVE_INFINITY]], "f: features must be finite, row 1 is not"],
  [[[1], [1e39]], "f: features must be finite, row 1 is not"],
  [{ data: [1, 2, 3], shape: [2, 2] }, "f: features must hold 4 numbers for [2,2], got 3"],
  [{ data: [1, 2], shape: [2] }, "f: features must be [n, dim], n and dim at least 1, got [2]"],
  [{ data: [1, 2], dims: [1, 2, 1] }, "f: features must be [n, dim], n and dim at least 1, got [1,2,1]"],
  [{ data: [1, 2] }, "{ data, shape } or a safetensors file, got a Object"],
])("refuses %j", async (features, message) => {
  await expectNoLeaks(async () => {
    await expect(openFeatures("f: features", features as Features)).rejects.toThrow(message);
  });
});

it("refuses int64, as ONNX Runtime has labels", async () => {
  const int64 = { data: BigInt64Array.of(1n), dims: [1, 1] };
  await expect(openFeatures("f: x", int64 as never)).rejects.toThrow("f: x.data[0] must be a number, got 1n");
});

it("refuses tensors of another rank, text, and what is disposed", async () => {
  const vector = tf.tensor1d([1, 2]);
  const text = tf.tensor2d([["a", "b"]]);
  await expect(openFeatures("f: x", vector)).rejects.toThrow(
    "f: x must be [n, dim], n and dim at least 1, got [2]",
  );
  await expect(openFeatures("f: x", text)).rejects.toThrow("f: x must hold numbers, got dtype string");
  tf.dispose([vector, text]);
  const gone = tf.ones([2, 2]);
  gone.dispose();
  await expect(openFeatures("f: x", gone)).rejects.toThrow("f: x is disposed");
});

it("disposes what is open where another is refused", async () => {
  await expectNoLeaks(async () => {
    await expect(openSameWidth("f", { a: rows, b: [[1, 2]] })).rejects.toThrow(
      "f: expected features of one width, got a [2,3], b [1,2]",
    );
    await expect(openSameWidth("f", { a: rows, b: [[Number.NaN]] })).rejects.toThrow(
      "f: b must be finite, row 0 is not",
    );
  });
});

it("decodes float16 of ONNX Runtime, and refuses a type that is not the array's", async () => {
  const open = (type: string, data: unknown) => openFeatures("f: x", { data, dims: [1, 3], type } as never);
  // 1, -2.5 and 2^-24, the least binary16.
  const halves = await open("float16", Uint16Array.of(0x3c00, 0xc100, 1));
  expectClose(halves, [1, -2.5, 2 ** -24], {});
  const words = await open("uint16", Uint16Array.of(1, 2, 0x3c00));
  expectClose(words, [1, 2, 15360], {});
  const list = await open("float32", [1, 2, 3]);
  tf.dispose([halves, words, list]);
  const refused: [string, unknown, string][] = [
    ["float16", Uint16Array.of(0x7c00, 0, 0), "f: x must be finite, row 0 is not"],
    [
      "float16",
      [1, 2, 3],
      'f: x.data must be a Uint16Array or Float16Array for type "float16", got an array of 3',
    ],
    ["float32", new Uint16Array(3), 'f: x.data must be a Float32Array for type "float32", got a Uint16Array'],
    ["int64", new BigInt64Array(3), "f: x.type must be one of float32, float16, float64,"],
    ["float32", [1, "2", 3], 'f: x.data[1] must be a number, got "2"'],
  ];
  await expectNoLeaks(async () => {
    for (const [type, data, message] of refused) await expect(open(type, data)).rejects.toThrow(message);
  });
});
