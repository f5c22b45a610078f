import type { TrainingImagesOptions } from "@dcr-js/cli";
import type { ImageBatch, ImageSource } from "@dcr-js/data";
import { afterAll, describe, expect, it } from "vitest";
import { knownIdentities, seenStyles } from "./scenes/factors.js";
import { sceneSet } from "./scenes/splits.js";
import { loadSprites } from "./scenes/sprites.js";
import createSource from "./training-images.js";

const plain: TrainingImagesOptions = {
  size: 32,
  batchSize: 6,
  seed: 3,
  augment: { colorJitter: 0.1, hue: 0.05, horizontalFlip: 0.5, verticalFlip: 0.5 },
  strict: true,
  log: () => {},
};
const opened: ImageSource[] = [];
async function open(changes: Partial<TrainingImagesOptions> = {}): Promise<ImageSource> {
  const source = await createSource({ ...plain, ...changes });
  opened.push(source);
  return source;
}
async function take(source: ImageSource, batches: number): Promise<ImageBatch[]> {
  const iterator = source[Symbol.asyncIterator]();
  const taken: ImageBatch[] = [];
  for (let i = 0; i < batches; i++) taken.push((await iterator.next()).value);
  return taken;
}
afterAll(() => Promise.all(opened.map((source) => source.close())));

describe("the images of --images", () => {
  it("are scenes of the training split, whole, of what CLIP knows", async () => {
    const [{ names, images, augmented }] = await take(await open(), 1);
    const sprites = await loadSprites();
    const set = sceneSet({
      split: "train",
      name: "pool",
      count: 8_000,
      sprites,
      identities: knownIdentities,
      styles: seenStyles,
    });
    for (const [i, name] of names.entries()) {
      const at = Number(name.slice("scene-".length));
      const pixels = Array.from(set.images.subarray(at * 3072, (at + 1) * 3072), (value) =>
        Math.fround(value / 255),
      );
      expect(Array.from(images.subarray(i * 3072, (i + 1) * 3072))).toEqual(pixels);
    }
    expect(augmented).not.toEqual(images);
    expect(set.scenes.some(({ style }) => style === "twemoji")).toBe(false);
    expect(new Set(set.scenes.map(({ identity }) => identity)).size).toBe(32);
  });

  it("come in an order of the seed, and go on from a position", async () => {
    const whole = await take(await open(), 4);
    expect(new Set(whole.flatMap(({ names }) => names)).size).toBe(24);
    const first = await open();
    expect(await take(first, 2)).toEqual(whole.slice(0, 2));
    const second = await open();
    second.restore(JSON.parse(JSON.stringify(first.position())));
    expect(await take(second, 2)).toEqual(whole.slice(2));
    expect((await take(await open({ seed: 4 }), 1))[0].names).not.toEqual(whole[0].names);
    const other = await open({ seed: 4 });
    expect(() => other.restore(first.position())).toThrow(/seed/);
  });

  it("are augmented as the options say", async () => {
    const still = { colorJitter: 0, hue: 0, horizontalFlip: 0, verticalFlip: 0 };
    const [calm] = await take(await open({ augment: still }), 1);
    const [flipped] = await take(await open({ augment: { ...still, horizontalFlip: 1 } }), 1);
    expect(flipped.names).toEqual(calm.names);
    const mirrored = calm.augmented.map((_, at) => {
      const [image, y, x, c] = [
        Math.floor(at / 3072),
        Math.floor((at % 3072) / 96),
        Math.floor((at % 96) / 3),
        at % 3,
      ];
      return calm.augmented[image * 3072 + y * 96 + (31 - x) * 3 + c];
    });
    expect(flipped.augmented).toEqual(mirrored);
    const [coloured] = await take(await open({ augment: { ...still, colorJitter: 0.5 } }), 1);
    expect(coloured.augmented).not.toEqual(calm.augmented);
  });

  it("have the encoder's size", async () => {
    const [{ images, size }] = await take(await open({ size: 64, batchSize: 2 }), 1);
    expect([images.length, size]).toEqual([2 * 64 * 64 * 3, 64]);
    await expect(createSource({ ...plain, size: 8 })).rejects.toThrow(/size must be an integer, at least 16/);
  });
});
