import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { packTar } from "modern-tar";
import sharp from "sharp";
import { expect, it } from "vitest";
import { folderOf } from "../../test/temporary-folder.js";
import { classFolder } from "./class-folders.js";
import { encodeImages, imageTable, webDataset } from "./index.js";

const png = (red: number) =>
  sharp({ create: { width: 12, height: 12, channels: 3, background: { r: red, g: 255 - red, b: 0 } } })
    .png()
    .toBuffer();
const [dark, middle, bright] = [await png(0), await png(51), await png(255)];
const transform = { resize: { shortestEdge: 8 }, crop: { width: 8, height: 8 } };
/** The mean colour of an image. */
const encodeImage = (pixels: tf.Tensor4D) => tf.mean(pixels, [1, 2]);
const options = { encodeImage, transform, workers: 0 };
const expected = [
  [0, 1, 0],
  [0.2, 0.8, 0],
  [1, 0, 0],
].flat();

it("encodes every image in order, in batches", async () => {
  const folder = folderOf({ "a/1.png": dark, "a/2.png": middle, "b/1.png": bright });
  const { dataset } = await classFolder(folder);
  await expectNoLeaks(async () => {
    const sizes: number[] = [];
    const counting = (pixels: tf.Tensor4D) => {
      sizes.push(pixels.shape[0]);
      return encodeImage(pixels);
    };
    const { features, labels, names } = await encodeImages(dataset, {
      ...options,
      encodeImage: counting,
      batchSize: 2,
    });
    expect(sizes).toEqual([2, 1]);
    expect(labels).toEqual(["a", "a", "b"]);
    expect(names).toEqual(["a/1.png", "a/2.png", "b/1.png"]);
    expectClose(await features.data(), expected, { absolute: 1e-6 });
    features.dispose();
    const plain = async (pixels: tf.Tensor4D) => {
      const means = encodeImage(pixels);
      const rows = (await means.array()) as number[][];
      means.dispose();
      return rows;
    };
    const rows = await encodeImages(dataset, { ...options, encodeImage: plain });
    expectClose(await rows.features.data(), expected, { absolute: 1e-6 });
    rows.features.dispose();
  });
});

it("encodes tables and WebDataset shards of @dcr-js/data", async () => {
  const folder = folderOf({
    "1.png": dark,
    "2.png": bright,
    "table.csv": "filepath,label\n1.png,low\n2.png,high\n",
    "shard.tar": await packTar([
      { header: { name: "x.png", size: dark.length, type: "file" }, body: dark },
      { header: { name: "x.cls", size: 1, type: "file" }, body: Buffer.from("4") },
    ]),
  });
  const table = await encodeImages(await imageTable(`${folder}/table.csv`), options);
  expect(table.labels).toEqual(["low", "high"]);
  const shard = await encodeImages(await webDataset(`${folder}/shard.tar`), options);
  expect(shard.labels).toEqual(["4"]);
  expectClose(await shard.features.data(), [0, 1, 0], { absolute: 1e-6 });
  tf.dispose([table.features, shard.features]);
});

it("names a broken image, and features that do not fit", async () => {
  const folder = folderOf({ "a/1.png": dark, "b/1.png": "no image" });
  const { dataset } = await classFolder(folder);
  await expectNoLeaks(async () => {
    await expect(encodeImages(dataset, options)).rejects.toThrow(/b\/1.png/);
    const good = (await classFolder(folderOf({ "a/1.png": dark, "b/1.png": bright }))).dataset;
    const bad = (encode: (pixels: tf.Tensor4D) => tf.Tensor) =>
      encodeImages(good, { ...options, encodeImage: encode });
    await expect(bad(() => tf.ones([1, 3]))).rejects.toThrow(
      /encodeImage must return \[2, 3\] for 2 images, got \[1,3\]/,
    );
    await expect(bad(() => tf.ones([2]))).rejects.toThrow(/encodeImage's features must be \[n, dim\]/);
    await expect(encodeImages(good, { ...options, batchSize: 0 })).rejects.toThrow(/batchSize must be/);
    await expect(encodeImages(good, { transform } as never)).rejects.toThrow(
      /encodeImage must be a function/,
    );
  });
});
