import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { syntheticPixels } from "@dcr-js/testing";
import { writeTestImages, writeTestShards } from "@dcr-js/testing/images";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../decode/decode-image.js";
import { applyEvalTransform } from "../transforms/eval-transform.js";
import { imageArray } from "./custom-images.js";
import { openImages } from "./open-images.js";
import { type EvalBatch, readImages } from "./read-images.js";

let root = "";
let names: string[] = [];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "read-images-"));
  names = await writeTestImages(join(root, "photos"));
  await writeTestShards(join(root, "shards"));
});
afterAll(() => rm(root, { recursive: true }));

const transform = { resize: { shortestEdge: 12 }, crop: { width: 12, height: 12 } };

async function all(batches: AsyncIterable<EvalBatch>): Promise<EvalBatch[]> {
  const list: EvalBatch[] = [];
  for await (const batch of batches) list.push(batch);
  return list;
}

const image = (i: number, width = 6, height = 5) => ({
  name: `image ${i}`,
  image: { data: syntheticPixels(i, width, height), width, height },
});

describe("readImages", () => {
  it("reads every image once, in sorted order, with its label", async () => {
    const dataset = await openImages(join(root, "photos"));
    const batches = await all(readImages(dataset, transform, { batchSize: 25, workers: 2 }));
    expect(batches.map(({ names }) => names.length)).toEqual([25, 25, 10]);
    expect(batches.flatMap(({ names }) => names)).toEqual(names);
    expect(batches.flatMap(({ labels }) => labels)).toEqual(names.map((name) => name.split("/")[0]));
    const { images, width, height } = batches[1]!;
    expect([width, height, images.length]).toEqual([12, 12, 25 * 12 * 12 * 3]);
    const file = await readFile(join(root, "photos", names[27]!));
    const expected = applyEvalTransform(await decodeImage(file), transform).data;
    expect(images.subarray(2 * expected.length, 3 * expected.length)).toEqual(expected);
  });

  it("gives shards' captions", async () => {
    const dataset = await openImages(join(root, "shards/*.tar"));
    const batches = await all(readImages(dataset, transform, { workers: 0 }));
    expect(batches.flatMap(({ names }) => names).length).toBe(60);
    expect(batches[1]!.captions[1]).toBe("image 33 of stripes");
  });

  it("skips broken images, and stops above maxBroken or where strict says so", async () => {
    const bad = { name: "bad.jpg", image: Buffer.from("GIF89a, not") };
    const dataset = imageArray([image(0), bad, image(1)]);
    await expect(all(readImages(dataset, transform, { workers: 0, onBroken() {} }))).rejects.toThrow(
      /^readImages: 1 of 2 images are broken, a share above maxBroken 0.1: bad\.jpg cannot be decoded: /,
    );
    await expect(all(readImages(dataset, transform, { workers: 0, strict: true }))).rejects.toThrow(
      /^readImages: bad\.jpg cannot be decoded: /,
    );
    const broken: string[] = [];
    const onBroken = ({ name }: { name: string }) => broken.push(name);
    const [batch] = await all(readImages(dataset, transform, { workers: 0, maxBroken: 0.5, onBroken }));
    expect([batch!.names, broken]).toEqual([["image 0", "image 1"], ["bad.jpg"]]);
  });

  it("asks for a crop where sizes differ", async () => {
    const dataset = imageArray([image(0), image(1, 4, 7)]);
    await expect(all(readImages(dataset, {}, { workers: 0 }))).rejects.toThrow(
      "readImages: images must come out in one size, got 6 x 5 for image 0 and 4 x 7 for image 1; set transform.crop",
    );
  });

  it("checks its options before it reads", () => {
    const dataset = imageArray([image(0)]);
    expect(() => readImages(dataset, transform, { batchSize: 0 })).toThrow(/batchSize must be/);
    expect(() => readImages(dataset, transform, { size: 3 } as never)).toThrow(/unknown option "size"/);
    expect(() => readImages(dataset, { crops: 1 } as never)).toThrow(
      /readImages: transform: unknown option "crops"/,
    );
    expect(() => readImages(dataset, transform, { onBroken: 3 as never })).toThrow(
      /onBroken must be a function/,
    );
  });
});
