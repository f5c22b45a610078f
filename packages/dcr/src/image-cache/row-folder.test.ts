import "@tensorflow/tfjs-backend-cpu";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { createRowFolder } from "./row-folder.js";

it("refuses values that the precision cannot hold, and keeps none of them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "row-folder-"));
  const write = (precision: "float16" | "float32", value: number) =>
    createRowFolder({ folder, maxBytes: 2 ** 20, precision }).write("0000", {
      values: Float32Array.of(1, value),
      shape: [2],
    });
  const tensors = tf.memory().numTensors;
  // The largest float16 is 65504; 65520 rounds to infinity (IEEE 754).
  await expect(write("float16", 65_520)).rejects.toThrow(
    'createLatentEncoder: an image\'s moments cannot be kept in float16; cachePrecision "float32" holds larger values',
  );
  await expect(write("float32", Number.NaN)).rejects.toThrow(/cannot be kept in float32$/);
  expect(await readdir(folder)).toEqual([]);
  expect(Array.from((await write("float16", 65_504)).values)).toEqual([1, 65_504]);
  expect(tf.memory().numTensors).toBe(tensors);
  await rm(folder, { recursive: true });
});

it("keeps a folder that several processes write to within its bytes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "row-folder-"));
  const bytes = async () => {
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".row"));
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  };
  const row = { values: new Float32Array(250), shape: [250] };
  const open = (maxBytes: number) => createRowFolder({ folder, maxBytes, precision: "float32" });
  await open(2 ** 30).write("0000", row);
  const one = await bytes();
  const maxBytes = 20 * one;
  // Each counts only its own writes until it looks again.
  const processes = [open(maxBytes), open(maxBytes), open(maxBytes)];
  for (let i = 1; i <= 90; i++) {
    await processes[i % 3].write(String(i).padStart(4, "0"), row);
    expect(await bytes()).toBeLessThanOrEqual(1.3 * maxBytes);
  }
  expect(await bytes()).toBeGreaterThan(0.7 * maxBytes);
  await rm(folder, { recursive: true });
});
