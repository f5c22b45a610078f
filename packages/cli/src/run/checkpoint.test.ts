import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialize, openSafetensors, writeSafetensors } from "@dcr-js/tensor";
import { expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.js";

let folder: string;
let path: string;
let bytes: Buffer;
const owner = { job: "dcr-seed0", settings: "abc" };
const progress = { step: 7, source: { epoch: 2 } };
const values = [1.5, -2, 1e-30, 3];

beforeAll(async () => {
  await initialize({ device: "cpu" });
  folder = await mkdtemp(join(tmpdir(), "dcr-checkpoint-"));
  path = join(folder, "checkpoint.safetensors");
  const tensors = { "parameter.0": tf.tensor2d(values, [2, 2]), step: tf.tensor1d([7], "int32") };
  await writeCheckpoint(path, owner, { tensors, progress });
  tf.dispose(tensors);
  bytes = await readFile(path);
});
afterAll(() => rm(folder, { recursive: true }));

it("writeCheckpoint refuses what is not finite by name, and leaves the former checkpoint", async () => {
  const tensors = { "optimizer.0": tf.tensor1d([1, Number.POSITIVE_INFINITY]) };
  await expect(writeCheckpoint(path, owner, { tensors, progress })).rejects.toThrow(
    /"optimizer\.0": expected finite values, got Infinity/,
  );
  tf.dispose(tensors);
  expect(await readFile(path)).toEqual(bytes);
});

const refused = /; delete this file to start its stage anew$/;

describe("readCheckpoint", () => {
  it("gives back what was written", async () => {
    await expectNoLeaks(async () => {
      const found = await readCheckpoint(path, owner);
      expect(found!.progress).toEqual(progress);
      expect(Array.from(await found!.tensors["parameter.0"]!.data())).toEqual(
        Array.from(Float32Array.from(values)),
      );
      expect(found!.tensors.step!.shape).toEqual([1]);
      tf.dispose(found!.tensors as tf.NamedTensorMap);
    });
    expect(await readCheckpoint(join(folder, "none"), owner)).toBeUndefined();
  });

  it("names a file in which any byte was changed, or that was cut short", async () => {
    const damaged = join(folder, "damaged.safetensors");
    await expectNoLeaks(async () => {
      for (let at = 0; at < bytes.length; at += 3) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1;
        await writeFile(damaged, changed);
        await expect(readCheckpoint(damaged, owner), `byte ${at}`).rejects.toThrow(refused);
        await expect(readCheckpoint(damaged, owner)).rejects.toThrow(damaged);
      }
      for (const length of [0, 5, 40, bytes.length - 1]) {
        await writeFile(damaged, bytes.subarray(0, length));
        await expect(readCheckpoint(damaged, owner)).rejects.toThrow(/the checkpoint is damaged; delete/);
      }
    });
  });

  it("is not taken by another job or another configuration", async () => {
    await expect(readCheckpoint(path, { ...owner, job: "rec-seed0" })).rejects.toThrow(
      /is of job dcr-seed0, expected rec-seed0; delete/,
    );
    await expect(readCheckpoint(path, { ...owner, settings: "abd" })).rejects.toThrow(
      /of a run with other settings; delete/,
    );
  });

  it("refuses another version", async () => {
    const other = join(folder, "other.safetensors");
    const reader = await openSafetensors(path);
    const { metadata } = reader;
    await reader.close();
    const x = { x: tf.tensor1d([1]) };
    await writeSafetensors(other, x, { metadata: { ...metadata, version: "2" } });
    await expect(readCheckpoint(other, owner)).rejects.toThrow(/has format version 2, expected 1; delete/);
    x.x.dispose();
  });
});
