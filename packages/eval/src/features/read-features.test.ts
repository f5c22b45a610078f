import "@tensorflow/tfjs-backend-cpu";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { folderOf } from "../../test/temporary-folder.js";
import { nearestNeighbours } from "../neighbours/nearest-neighbours.js";
import { openFeatures } from "./open-features.js";
import { readFeatures } from "./read-features.js";

/** Made by tools/reference/eval_features.py. */
const path = fileURLToPath(new URL("../../fixtures/features.safetensors", import.meta.url));
const names = ["a/1.png", "b/2.png"];

it.each(["float32", "float64", "float16", "bfloat16"])("reads %s as Python writes it", async (tensor) => {
  const expected = { data: Float32Array.of(1.5, -2, 0.25, 0, 96, -0.75), shape: [2, 3], names };
  expect(await readFeatures(path, { tensor })).toEqual(expected);
  expect(await readFeatures(readFileSync(path), { tensor })).toEqual(expected);
});

it("reads int64", async () => {
  const { data } = await readFeatures(path, { tensor: "int64" });
  expect([...data]).toEqual([1, -2, 3, 4, 5, -6]);
});

/** A safetensors file of float32 rows. */
function saved(tensors: Record<string, number[][]>, metadata?: Record<string, string>): Uint8Array {
  let end = 0;
  const header = Object.entries(tensors).map(([name, rows]) => {
    const begin = end;
    const shape = [rows.length, rows[0]?.length ?? 0];
    end += 4 * shape[0] * shape[1];
    return [name, { dtype: "F32", shape, data_offsets: [begin, end] }];
  });
  const json = Buffer.from(
    JSON.stringify({ ...(metadata && { __metadata__: metadata }), ...Object.fromEntries(header) }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const values = Object.values(tensors).map((rows) => Buffer.from(Float32Array.from(rows.flat()).buffer));
  return Buffer.concat([length, json, ...values]);
}

it("is what every function takes as features: a path, a Uint8Array or an ArrayBuffer", async () => {
  const content = saved({
    other: [[9, 9, 9]],
    features: [
      [1, 0],
      [1, 1],
      [0, 1],
    ],
  });
  const file = join(folderOf({ "x.safetensors": content }), "x.safetensors");
  await expectNoLeaks(async () => {
    for (const features of [file, content, new Uint8Array(content).buffer]) {
      const x = await openFeatures("f: features", features);
      expect(await x.array()).toEqual([
        [1, 0],
        [1, 1],
        [0, 1],
      ]);
      x.dispose();
    }
    const found = await nearestNeighbours(file, { among: saved({ alone: [[0, 2]] }) });
    expect(found.map(({ similarities }) => similarities[0])).toEqual([0, Math.fround(Math.SQRT1_2), 1]);
  });
});

it.each<[string, Uint8Array, string]>([
  [
    "no such tensor",
    saved({ a: [[1]], b: [[2]] }),
    'safetensors: expected a tensor "features", got the tensors "a", "b"',
  ],
  ["no tensor", saved({}), 'expected a tensor "features", got no tensors'],
  ["no rows", saved({ features: [] }), 'tensor "features" must be [n, dim], n and dim at least 1, got [0,0]'],
  ["a row that is not finite", saved({ x: [[1], [Number.NaN]] }), "f: features must be finite, row 1 is not"],
  ["a file that is cut short", saved({ x: [[1]] }).subarray(0, 20), "safetensors: truncated"],
  ["an empty file", new Uint8Array(0), "truncated, expected at least 8 bytes, got 0"],
  [
    "names that are no list",
    saved({ x: [[1]] }, { names: "{}" }),
    'a JSON list of 1 texts, one for each row, got "{}"',
  ],
  ["too few names", saved({ x: [[1], [2]] }, { names: '["a"]' }), "a JSON list of 2 texts, one for each row"],
])("refuses %s", async (_, content, message) => {
  await expectNoLeaks(() => expect(openFeatures("f: features", content)).rejects.toThrow(message));
});

it("names the file or the argument that is wrong", async () => {
  await expect(readFeatures("/none.safetensors")).rejects.toThrow(
    "readFeatures: /none.safetensors: no such file",
  );
  await expect(openFeatures("kMeans: features", "/none.safetensors")).rejects.toThrow(
    "kMeans: features: /none.safetensors: no such file",
  );
  await expect(readFeatures(path, { tensor: "one axis" })).rejects.toThrow(
    'tensor "one axis" must be [n, dim], n and dim at least 1, got [3]',
  );
  await expect(readFeatures(path, { name: "x" } as never)).rejects.toThrow('unknown option "name"');
  await expect(readFeatures(path, { tensor: 3 as never })).rejects.toThrow("tensor must be a name, got 3");
  await expect(readFeatures(3 as never)).rejects.toThrow(
    "readFeatures: expected a safetensors file's path or content, got 3",
  );
  const folder = folderOf({});
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await expect(readFeatures(join(folder, "pipe"))).rejects.toThrow("expected a file, got a FIFO");
});
