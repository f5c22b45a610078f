import { readFile } from "node:fs/promises";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, describe, expect, it } from "vitest";
import type { StateDict } from "../nn/module.js";
import { Parameter } from "../nn/parameter.js";
import { AdamW } from "../optim/adamw.js";
import { parseSafetensors, serializeSafetensors } from "./safetensors.js";

const fixtures = new URL("../../fixtures/safetensors/", import.meta.url);
const fixture = async (name: string): Promise<ArrayBuffer> =>
  new Uint8Array(await readFile(new URL(name, fixtures))).buffer;

beforeAll(() => tf.setBackend("cpu"));

/** A file with this header (an object or raw text) and so many bytes of data. */
function file(header: unknown, dataBytes = 0): ArrayBuffer {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes.buffer;
}

/** A header with a byte that no UTF-8 has. */
function latin1(): ArrayBuffer {
  const bytes = new Uint8Array(file('{"?":1}'));
  bytes[10] = 0xff;
  return bytes.buffer;
}

const floats = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("parseSafetensors", () => {
  it("reads every dtype as Python wrote it", async () => {
    const golden: Record<string, { shape: number[]; values: string[] }> = JSON.parse(
      await readFile(new URL("dtypes.json", fixtures), "utf8"),
    );
    const buffer = await fixture("dtypes.safetensors");
    await expectNoLeaks(() => {
      const dict = parseSafetensors(buffer);
      expect(Object.keys(dict).sort()).toEqual(Object.keys(golden).sort());
      for (const [name, { shape, values }] of Object.entries(golden)) {
        expect(dict[name]!.shape, name).toEqual(shape);
        const dtype = /^[iu]\d/.test(name) ? "int32" : name === "bool" ? "bool" : "float32";
        expect(dict[name]!.dtype, name).toBe(dtype);
        expectClose(dict[name]!, values.map(Number));
      }
      tf.dispose(dict);
    });
  });

  it("takes a typed array, also one that lies anywhere in its buffer", async () => {
    const whole = new Uint8Array(await fixture("dtypes.safetensors"));
    await expectNoLeaks(() => {
      const expected = parseSafetensors(whole.buffer);
      for (const shift of [0, 1, 3, 8]) {
        const buffer = new Uint8Array(whole.length + shift + 5);
        buffer.set(whole, shift);
        const dict = parseSafetensors(buffer.subarray(shift, shift + whole.length));
        for (const [name, tensor] of Object.entries(expected)) expectClose(dict[name]!, tensor);
        tf.dispose(dict);
      }
      tf.dispose(expected);
    });
    expect(() => parseSafetensors("text" as never, "a.safetensors")).toThrow(
      'a.safetensors: expected the file\'s bytes as an ArrayBuffer or a typed array, got "text"',
    );
  });

  it("refuses I64 values beyond int32, and leaks nothing then", async () => {
    const buffer = await fixture("i64-too-large.safetensors");
    await expectNoLeaks(() =>
      expect(() => parseSafetensors(buffer, "a.safetensors")).toThrow(
        'a.safetensors: tensor "i64": expected I64 values that int32 can hold, got 2147483648',
      ),
    );
  });

  it.each<[string, ArrayBuffer, string]>([
    ["an empty file", new ArrayBuffer(0), "truncated, expected at least 8 bytes, got 0"],
    [
      "a header longer than the file",
      file({ w: floats(0, 4) }, 4).slice(0, 30),
      "expected a header of 54 bytes, got 22",
    ],
    [
      "a name twice",
      file(`{"w":${JSON.stringify(floats(0, 4))},"\\u0077":${JSON.stringify(floats(4, 8))}}`, 8),
      'expected its header to be JSON (key "w" is there twice)',
    ],
    [
      "deep nesting",
      file(`{"w":${"[".repeat(1e5)}${"]".repeat(1e5)}}`),
      "expected its header to be JSON (nested more than 3 deep)",
    ],
    [
      "a name of a million letters",
      file({ ["w".repeat(1e6)]: 5 }),
      "expected dtype, shape and data_offsets, got 5",
    ],
    [
      "a value of a million letters",
      file({ w: { dtype: "F".repeat(1e6), shape: [1], data_offsets: [0, 1] } }, 1),
      'got "FFFFFF',
    ],
    [
      "hundreds of axes",
      file({ w: floats(0, 4, new Array(1000).fill(1)) }, 4),
      'tensor "w": expected shape to have at most 16 axes, got [1,1,1',
    ],
    ["a header that is not UTF-8", latin1(), "expected its header to be JSON (not UTF-8)"],
    ["another kind of file", new Uint8Array(100).fill(80).buffer, "truncated or no safetensors file"],
    ["a header that is no JSON", file("{ nonsense"), "expected its header to be JSON"],
    ["a header behind a byte order mark", file("\ufeff{}"), 'expected its header to begin with "{"'],
    ["a header behind space", file(" {}"), 'expected its header to begin with "{"'],
    ["a header that is no object", file([1]), "expected its header to be a JSON object, got [1]"],
    [
      "metadata that are no strings",
      file({ __metadata__: { step: 3 } }),
      'expected __metadata__ to be an object of strings, got {"step":3}',
    ],
    [
      "an unknown dtype",
      file({ w: { dtype: "F8_E4M3", shape: [1], data_offsets: [0, 1] } }, 1),
      'tensor "w": expected dtype to be one of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, got "F8_E4M3"',
    ],
    [
      "a dtype that objects have by nature",
      file({ w: { dtype: "constructor", shape: [1], data_offsets: [0, 1] } }, 1),
      'got "constructor"',
    ],
    [
      "no shape",
      file({ w: { dtype: "F32", data_offsets: [0, 4] } }, 4),
      'tensor "w": expected shape to be an array of sizes, got undefined',
    ],
    [
      "a negative size",
      file({ w: { dtype: "F32", shape: [-1], data_offsets: [0, 4] } }, 4),
      'tensor "w": expected shape to be an array of sizes, got [-1]',
    ],
    [
      "one offset",
      file({ w: { dtype: "F32", shape: [1], data_offsets: [0] } }, 4),
      'tensor "w": expected data_offsets to be [begin, end], got [0]',
    ],
    [
      "an entry that is a number",
      file({ w: 5 }),
      'tensor "w": expected dtype, shape and data_offsets, got 5',
    ],
    [
      "offsets that disagree with the shape",
      file({ w: floats(0, 8, [3]) }, 8),
      'tensor "w": expected 12 bytes for F32 of shape [3], got data_offsets [0,8] (8 bytes)',
    ],
    [
      "data shorter than the offsets",
      file({ a: floats(0, 8), w: floats(8, 16) }, 12),
      'truncated, tensor "w" expected 16 bytes of data, got 12',
    ],
    [
      "overlapping tensors",
      file({ w: floats(0, 8), v: floats(4, 12) }, 12),
      'tensor "v" overlaps another tensor, expected it to begin at 8, the end of tensor "w", got 4',
    ],
    [
      "a hole",
      file({ w: floats(0, 8), v: floats(12, 16) }, 16),
      'tensor "v" leaves a hole, expected it to begin at 8, the end of tensor "w", got 12',
    ],
    [
      "data that no tensor claims",
      file({ w: floats(0, 8) }, 9),
      "expected 8 bytes of data after the header, got 9",
    ],
  ])("refuses %s in one line", (_, buffer, message) => {
    const before = tf.memory().numTensors;
    let error: Error | undefined;
    try {
      parseSafetensors(buffer, "weights.safetensors");
    } catch (thrown) {
      error = thrown as Error;
    }
    expect(error?.message).toContain(message);
    expect(error?.message.length).toBeLessThan(400);
    expect(error?.message).toMatch(/^weights\.safetensors: [^\n]*$/);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("serializeSafetensors", () => {
  it.each([
    ["floats.safetensors", "F32", { format: "pt" }],
    ["halves.safetensors", "F16", undefined],
  ] as const)("writes the very bytes that Python writes (%s)", async (name, dtype, metadata) => {
    const golden = JSON.parse(await readFile(new URL("dtypes.json", fixtures), "utf8"));
    const dict: StateDict = {
      "b.weight": tf.tensor2d(golden.f32.values.map(Number), [11, 2]),
      "a.weight": tf.tensor3d([0, 1, 2, 3, 4, 5], [1, 2, 3]),
    };
    if (dtype === "F32") dict["mask"] = tf.tensor1d([true, false, true], "bool");
    const bytes = await serializeSafetensors(dict, { dtype, metadata });
    expect(Buffer.from(bytes).equals(Buffer.from(await fixture(name)))).toBe(true);
    tf.dispose(dict);
  });

  it("refuses what the format cannot hold", async () => {
    const text = tf.tensor1d(["a"], "string");
    const one = tf.scalar(1);
    await expect(serializeSafetensors({ text })).rejects.toThrow(
      'tensor "text": expected dtype float32, int32 or bool, got string',
    );
    for (const dict of [null, [one], new Map([["one", one]])]) {
      await expect(serializeSafetensors(dict as never)).rejects.toThrow(
        "serializeSafetensors: expected an object of tensors by their names, got",
      );
    }
    const gone = tf.zeros([2]);
    gone.dispose();
    await expect(serializeSafetensors({ one, gone })).rejects.toThrow(
      'serializeSafetensors: tensor "gone" [2] is disposed',
    );
    for (const [value, shown] of [
      [undefined, "undefined"],
      [null, "null"],
      [[1], "an array of 1"],
    ] as const) {
      await expect(serializeSafetensors({ one, other: value as never })).rejects.toThrow(
        `serializeSafetensors: tensor "other": expected a tensor, got ${shown}`,
      );
    }
    await expect(serializeSafetensors({ __metadata__: one })).rejects.toThrow("__metadata__");
    await expect(serializeSafetensors({ one }, { dtype: "F64" as "F16" })).rejects.toThrow(
      'serializeSafetensors: dtype must be one of F32, F16, BF16, got "F64"',
    );
    await expect(
      serializeSafetensors({ one }, { metadata: { step: 1 } as unknown as Record<string, string> }),
    ).rejects.toThrow(
      'serializeSafetensors: expected __metadata__ to be an object of strings, got {"step":1}',
    );
    await expect(serializeSafetensors({ one }, { dtyp: "F16" } as object)).rejects.toThrow(
      'serializeSafetensors: unknown option "dtyp"',
    );
    tf.dispose([text, one]);
  });

  // https://github.com/huggingface/safetensors/issues/466: a step of 1001 read back as 1000.
  it.each(["F16", "BF16"] as const)(
    "keeps integers and an optimizer's state in full with %s",
    async (dtype) => {
      await expectNoLeaks(async () => {
        const weight = new Parameter([2]);
        const values = tf.tensor1d([1, 2]);
        weight.assign(values);
        const [optimizer, resumed] = [new AdamW([weight]), new AdamW([weight])];
        const gradient = tf.tensor1d([1e-7, 0.1]);
        optimizer.step([gradient]);
        optimizer.stepCount = 70_001;
        const state = optimizer.stateDict();
        const back = parseSafetensors(await serializeSafetensors(state, { dtype }));
        expect(Object.keys(back).sort()).toEqual(Object.keys(state).sort());
        for (const [name, tensor] of Object.entries(state)) expectClose(back[name]!, tensor);
        resumed.loadStateDict(back);
        expect(resumed.stepCount).toBe(70_001);
        tf.dispose([values, gradient, state, back]);
        for (const one of [optimizer, resumed, weight]) one.dispose();
      });
    },
  );
});

it("writes no header that is longer than a reader takes", async () => {
  const header = (text: number) => serializeSafetensors({}, { metadata: { text: "a".repeat(text) } });
  const around = JSON.stringify({ __metadata__: { text: "" } }).length;
  await expect(header(100_000_001 - around)).rejects.toThrow(
    "serializeSafetensors: names and metadata must take at most 100000000 bytes, as no reader takes a longer header, got 100000008",
  );
});
