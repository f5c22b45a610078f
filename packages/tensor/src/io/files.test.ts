import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSafetensors, readSafetensors, writeSafetensors } from "./files.js";
import { parseSafetensors } from "./safetensors.js";

const fixtures = fileURLToPath(new URL("../../fixtures/safetensors/", import.meta.url));
let folder: string;

beforeAll(async () => {
  await tf.setBackend("cpu");
  folder = await mkdtemp(join(tmpdir(), "safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("openSafetensors", () => {
  it("tells names, dtypes, shapes and metadata, and reads the tensors one by one", async () => {
    await expectNoLeaks(async () => {
      const reader = await openSafetensors(join(fixtures, "dtypes.safetensors"));
      expect(reader.keys()).toHaveLength(12);
      expect(reader.metadata).toEqual({ format: "pt", note: "naïve ✓" });
      expect(reader.info("bf16")).toMatchObject({ dtype: "BF16", shape: [11, 1, 2] });
      const i16 = await reader.tensor("i16");
      expectClose(i16, [-32768, 32767, 5]);
      i16.dispose();
      await expect(reader.tensor("i17")).rejects.toThrow(/dtypes\.safetensors: has no tensor "i17"$/);
      await reader.close();
    });
  });

  it("reads a tensor at the end of a file of 6 GiB without reading the rest", async () => {
    const path = join(folder, "large.safetensors");
    const half = 3 * 2 ** 30;
    const header = JSON.stringify({
      first: { dtype: "U8", shape: [half], data_offsets: [0, half] },
      second: { dtype: "U8", shape: [half - 8], data_offsets: [half, 2 * half - 8] },
      last: { dtype: "F32", shape: [2], data_offsets: [2 * half - 8, 2 * half] },
    });
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(header.length));
    await writeFile(path, Buffer.concat([prefix, Buffer.from(header)]));
    // A sparse file: its holes take no room on the disk.
    await truncate(path, 8 + header.length + 2 * half);
    const file = await open(path, "r+");
    await file.write(new Float32Array([1.5, -2]), 0, 8, 8 + header.length + 2 * half - 8);
    await file.close();

    const before = process.memoryUsage().rss;
    const reader = await openSafetensors(path);
    const last = await reader.tensor("last");
    expectClose(last, [1.5, -2]);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
    last.dispose();
    await reader.close();
    await rm(path);
  });

  it("refuses a header of more than 100 MB before it reads it", async () => {
    const path = join(folder, "header.safetensors");
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(100_000_001n);
    await writeFile(path, prefix);
    await truncate(path, 200_000_000);
    await expect(openSafetensors(path)).rejects.toThrow(
      `${path}: no safetensors file, expected a header of at most 100000000 bytes, got 100000001`,
    );
    await rm(path);
  });

  it("names a missing file, a folder, and a file that lost its end", async () => {
    await expect(openSafetensors(join(folder, "none.safetensors"))).rejects.toThrow(
      /none\.safetensors: no such file$/,
    );
    await expect(openSafetensors(folder)).rejects.toThrow(/expected a file, got a folder/);
    const path = join(folder, "cut.safetensors");
    const whole = await readFile(join(fixtures, "floats.safetensors"));
    for (const [length, message] of [
      [5, "truncated, expected at least 8 bytes, got 5"],
      [100, "truncated or no safetensors file, expected a header of 224 bytes, got 92"],
      [whole.length - 1, 'truncated, tensor "mask" expected 115 bytes of data, got 114'],
    ] as const) {
      await writeFile(path, whole.subarray(0, length));
      await expect(readSafetensors(path)).rejects.toThrow(`${path}: ${message}`);
    }
  });
});

it("refuses a storage that nobody knows, wherever a file is read", async () => {
  const path = join(folder, "none.safetensors");
  const storage = "fp16" as never;
  await expect(openSafetensors(path, { storage })).rejects.toThrow(
    'openSafetensors: storage must be one of float32, float16, got "fp16"',
  );
  await expect(readSafetensors(path, { storage })).rejects.toThrow("storage must be one of");
  expect(() => parseSafetensors(new Uint8Array(8), "f", { stroage: "float16" } as never)).toThrow(
    'parseSafetensors: unknown option "stroage"',
  );
});

describe("readSafetensors and writeSafetensors", () => {
  it("give back every value, with float32 rounded when halves are asked for", async () => {
    const path = join(folder, "new", "folders", "model.safetensors");
    const values = normalArray(1, 60);
    const dict = { weight: tf.tensor3d(values, [3, 4, 5]), ids: tf.tensor1d([5, -6], "int32") };
    await expectNoLeaks(async () => {
      await writeSafetensors(path, dict);
      const exact = await readSafetensors(path);
      expectClose(exact["weight"]!, dict.weight);
      expectClose(exact["ids"]!, dict.ids);
      await writeSafetensors(path, dict, { dtype: "F16", metadata: { format: "pt" } });
      const halves = await readSafetensors(path);
      expectClose(halves["weight"]!, dict.weight, { relative: 2 ** -11 });
      expectClose(halves["ids"]!, dict.ids);
      expect(() => expectClose(halves["weight"]!, dict.weight)).toThrow();
      tf.dispose([exact, halves]);
    });
    expect(await readdir(join(folder, "new", "folders"))).toEqual(["model.safetensors"]);
    tf.dispose(dict);
  });

  it("leave the old file whole when a tensor cannot be written", async () => {
    const path = join(folder, "old.safetensors");
    const good = tf.scalar(1);
    await writeSafetensors(path, { good });
    const before = await readFile(path);
    const gone = tf.scalar(2);
    gone.dispose();
    await expect(writeSafetensors(path, { good, gone })).rejects.toThrow(
      /old\.safetensors: could not be written/,
    );
    expect((await readFile(path)).equals(before)).toBe(true);
    expect((await readdir(folder)).filter((name) => name.startsWith("old"))).toEqual(["old.safetensors"]);
    good.dispose();
  });

  it("release what was read when a later tensor is at fault", async () => {
    await expectNoLeaks(() =>
      expect(readSafetensors(join(fixtures, "i64-too-large.safetensors"))).rejects.toThrow(
        /i64-too-large\.safetensors: tensor "i64": expected I64 values/,
      ),
    );
  });
});
