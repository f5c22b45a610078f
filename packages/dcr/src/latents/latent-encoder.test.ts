import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { AutoencoderKL } from "@dcr-js/diffusion";
import { initialize, Random } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks, uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createImageCache } from "../image-cache/image-cache.js";
import { createRowFolder } from "../image-cache/row-folder.js";
import { createLatentEncoder, type LatentEncoderOptions } from "./latent-encoder.js";

// They work as ever; only what they are called with is looked at.
vi.mock("../image-cache/image-cache.js", { spy: true });
vi.mock("../image-cache/row-folder.js", { spy: true });

const size = 16;
const values = size * size * 3;
const images = uniformArray(1, 4 * values, 0, 1);
let folder: string;

beforeAll(async () => {
  await initialize({ device: "wasm" });
  folder = await mkdtemp(join(tmpdir(), "latents-"));
});
afterAll(() => rm(folder, { recursive: true }));

const makeVae = (seed = 3, norm_num_groups = 4) =>
  new AutoencoderKL({
    down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D"],
    up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D"],
    block_out_channels: [8, 16],
    norm_num_groups,
  }).initialize(new Random(seed));

/** Encodes batches with a fresh encoder: their moments, and how many images went through the VAE. */
async function encode(
  options: LatentEncoderOptions,
  batches = [images],
  ...model: [seed?: number, groups?: number]
) {
  const vae = makeVae(...model);
  const through: number[] = [];
  const plain = vae.encode.bind(vae);
  vae.encode = (x) => {
    through.push(x.shape[0]);
    return plain(x);
  };
  const encoder = createLatentEncoder(vae, options);
  const moments: number[][] = [];
  for (const batch of batches) {
    const { mean, logvar } = await encoder.encode(batch, size);
    expect(mean.shape).toEqual([batch.length / values, 8, 8, 4]);
    expect(logvar.shape).toEqual(mean.shape);
    moments.push([...mean.dataSync(), ...logvar.dataSync()]);
    tf.dispose([mean, logvar]);
  }
  encoder.dispose();
  vae.dispose();
  return { moments, through };
}

async function filesIn(path: string): Promise<string[]> {
  const names = await readdir(path, { recursive: true });
  return names.filter((name) => name.endsWith(".row")).map((name) => join(path, name));
}

describe("createLatentEncoder", () => {
  it("gives the VAE's moments of images in [-1, 1], in any micro-batches", async () => {
    await expectNoLeaks(async () => {
      const vae = makeVae();
      const x = tf.tidy(() => tf.sub(tf.mul(tf.tensor4d(images, [4, size, size, 3]), 2), 1));
      const { mean, logvar } = vae.encode(x as tf.Tensor4D);
      for (const [microBatch, through] of [
        [undefined, [1, 1, 1, 1]],
        [3, [3, 1]],
        [8, [4]],
      ] as const) {
        const made = await encode({ microBatch });
        expect(made.through).toEqual(through);
        expectClose(made.moments[0], [...mean.dataSync(), ...logvar.dataSync()], { absolute: 1e-5 });
      }
      tf.dispose([x, mean, logvar]);
      vae.dispose();
    });
  });

  it("freezes the VAE, so that no optimizer or gradient of the model's parameters takes it", () => {
    const vae = makeVae();
    expect(vae.parameters().every(({ trainable }) => trainable)).toBe(true);
    const encoder = createLatentEncoder(vae);
    expect(vae.parameters().some(({ trainable }) => trainable)).toBe(false);
    encoder.dispose();
    vae.dispose();
  });

  it("encodes an image once where memory holds it, with the same numbers", async () => {
    const again = [images, images.slice(values), images];
    const none = await encode({ cacheBytes: 0 }, again);
    const all = await encode({}, again);
    expect(none.through.length).toBe(4 + 3 + 4);
    expect(all.through.length).toBe(4);
    expect(all.moments).toEqual(none.moments);
    // The same picture twice in a batch.
    const twice = new Float32Array(2 * values);
    twice.set(images.subarray(0, values));
    twice.set(images.subarray(0, values), values);
    expect((await encode({}, [twice])).through).toEqual([1]);
  });

  it.each(["float32", "float16"] as const)("keeps moments in a folder as %s", async (cachePrecision) => {
    const cacheFolder = join(folder, cachePrecision);
    const options = { cacheFolder, cachePrecision, cacheBytes: 0 };
    const plain = await encode({});
    const first = await encode(options);
    const second = await encode(options);
    expect(first.through.length).toBe(4);
    expect(second.through).toEqual([]);
    // Computed or read, the same to the last digit.
    expect(second.moments).toEqual(first.moments);
    if (cachePrecision === "float32") expect(first.moments).toEqual(plain.moments);
    else expectClose(first.moments[0], plain.moments[0], { relative: 2 ** -11, absolute: 2 ** -25 });
    // 8 x 8 moments and as many log-variances of 4 channels, behind a digest and a header.
    const { length } = await readFile((await filesIn(cacheFolder))[0]);
    const bytes = 2 * 8 * 8 * 4 * (cachePrecision === "float32" ? 4 : 2);
    expect(length - bytes).toBeGreaterThan(32);
    expect(length - bytes).toBeLessThan(200);
    // Other weights and settings have moments of their own.
    expect((await encode(options, [images], 4)).through.length).toBe(4);
    expect((await encode(options, [images], 3, 2)).through.length).toBe(4);
  });

  it("computes again what is damaged or cut short", async () => {
    const cacheFolder = join(folder, "damaged");
    const options = { cacheFolder, cacheBytes: 0 };
    const first = await encode(options);
    const files = await filesIn(cacheFolder);
    expect(files.length).toBe(4);
    const contents = await readFile(files[0]);
    contents[contents.length - 1] ^= 1;
    await writeFile(files[0], contents);
    await writeFile(files[1], contents.subarray(0, 40));
    await writeFile(files[2], "");
    const second = await encode(options);
    expect(second.through.length).toBe(3);
    expect(second.moments).toEqual(first.moments);
    expect((await encode(options)).through.length).toBe(0);
  });

  it("keeps within its bytes, and lets the least recently used go", async () => {
    const cacheFolder = join(folder, "bounded");
    await encode({ cacheFolder, cacheBytes: 0 }, [images.subarray(0, values)]);
    const [file] = await filesIn(cacheFolder);
    const { length } = await readFile(file);
    // A folder that is just full is no cause to delete.
    const full = { cacheFolder, cacheBytes: 0, cacheFolderBytes: 2 * length };
    await encode(full, [images.subarray(values, 2 * values)]);
    expect((await filesIn(cacheFolder)).length).toBe(2);
    const options = { cacheFolder, cacheBytes: 0, cacheFolderBytes: Math.ceil(3.4 * length) };
    await encode(options, [images.subarray(0, 2 * values)]);
    // The first is used again, the second is the oldest.
    await encode(options, [images.subarray(0, values)]);
    await encode(options, [images.subarray(2 * values)]);
    expect((await filesIn(cacheFolder)).length).toBeLessThanOrEqual(3);
    expect((await encode(options, [images.subarray(0, values)])).through).toEqual([]);
  });

  it("deletes what a killed process left half-written, and nothing that is being written", async () => {
    const cacheFolder = join(folder, "killed");
    await encode({ cacheFolder, cacheBytes: 0 }, [images.subarray(0, values)]);
    const [file] = await filesIn(cacheFolder);
    const [old, fresh] = ["old", "fresh"].map((name) => `${file}.${name}.tmp`);
    for (const path of [old, fresh]) await writeFile(path, "half");
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    await utimes(old, longAgo, longAgo);
    await encode({ cacheFolder, cacheBytes: 0 });
    const left = await readdir(cacheFolder, { recursive: true });
    expect(left.filter((name) => name.endsWith(".tmp"))).toEqual([relative(cacheFolder, fresh)]);
  });

  it("is shared by runs at the same time", async () => {
    const cacheFolder = join(folder, "shared");
    const options = { cacheFolder, cacheBytes: 0, cacheFolderBytes: 4000 };
    const alone = await encode({ cacheFolder: join(folder, "alone"), cacheBytes: 0 }, [images, images]);
    const runs = await Promise.all([1, 2, 3].map(() => encode(options, [images, images])));
    for (const { moments } of runs) expect(moments).toEqual(alone.moments);
    const left = await readdir(cacheFolder, { recursive: true });
    expect(left.filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("has its defaults: an image at once, 256 MiB in memory, 8 GiB of float16 in a folder", async () => {
    const cacheFolder = join(folder, "defaults");
    expect((await encode({}, [images])).through).toEqual([1, 1, 1, 1]);
    expect(createImageCache).toHaveBeenLastCalledWith(256 * 1024 ** 2, undefined);
    await encode({ cacheFolder }, [images]);
    expect(createImageCache).toHaveBeenLastCalledWith(256 * 1024 ** 2, expect.any(Function));
    const asked = { folder: expect.stringMatching(/defaults\/[0-9a-f]{32}-float16$/) as string };
    expect(createRowFolder).toHaveBeenLastCalledWith({
      ...asked,
      ...{ maxBytes: 8 * 1024 ** 3, precision: "float16" },
    });
  });

  it("refuses options that make no sense", () => {
    const vae = makeVae();
    for (const [options, message] of [
      [{ microBatch: 0 }, "microBatch must be an integer, at least 1, got 0"],
      [{ cacheBytes: -1 }, "cacheBytes must be an integer, at least 0, got -1"],
      [{ microBatch: 1.5 }, "microBatch must be an integer, at least 1, got 1.5"],
      [{ cacheFolder: 3 }, "cacheFolder must be the path of a folder, got 3"],
      [{ cacheFolder: "" }, 'cacheFolder must be the path of a folder, got ""'],
      [{ cacheFolderBytes: 0 }, "cacheFolderBytes must be an integer, at least 1, got 0"],
      [{ cachePrecision: "bfloat16" }, 'cachePrecision must be one of float16, float32, got "bfloat16"'],
      [{ cachePrecision: "float32" }, "cachePrecision applies to a cacheFolder only, and none is given"],
      [{ cacheFolderBytes: 2 ** 30 }, "cacheFolderBytes applies to a cacheFolder only, and none is given"],
      [{ cache: true }, 'unknown option "cache"'],
    ] as [LatentEncoderOptions, string][]) {
      expect(() => createLatentEncoder(vae, options)).toThrow(`createLatentEncoder: ${message}`);
    }
    expect(() => createLatentEncoder(undefined as never)).toThrow(
      "createLatentEncoder: vae.encode must be a function, got undefined",
    );
    vae.dispose();
  });
});
