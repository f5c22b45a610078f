import { Random } from "@dcr-js/tensor";
import { expectClose, uniformArray } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { type AugmentOptions, augmentView } from "./augment-view.js";

const size = 9;
const image = uniformArray(1, size * size * 3, 0, 1);
/** Every range has one value, the one that changes nothing. */
const identity: AugmentOptions = {
  colorJitter: 0,
  hue: 0,
  horizontalFlip: 0,
  verticalFlip: 0,
  scale: [1, 1],
  ratio: [1, 1],
};
const view = (options: AugmentOptions, source = image) => augmentView(source, size, new Random(3), options);
const pixels = (at: (x: number, y: number, channel: number) => number) =>
  Float32Array.from({ length: size * size * 3 }, (_, i) =>
    at(Math.floor(i / 3) % size, Math.floor(i / (3 * size)), i % 3),
  );
const pixel = (x: number, y: number, channel: number) => image[(y * size + x) * 3 + channel];

describe("augmentView", () => {
  it("is a function of the stream's state, and leaves the image as it was", () => {
    const before = image.slice();
    const [one, two] = [new Random(7), new Random(7)];
    const first = augmentView(image, size, one);
    expectClose(augmentView(image, size, two), first);
    expect(() => expectClose(augmentView(image, size, one), first, { absolute: 1e-3 })).toThrow(/differ/);
    expectClose(image, before);
  });

  it("takes as much from the stream whatever it is asked for", () => {
    const [one, two] = [new Random(7), new Random(7)];
    augmentView(image, size, one);
    augmentView(image, size, two, identity);
    expect(one.state).toEqual(two.state);
  });

  it("keeps the size and stays in [0, 1], where jitter and the kernel overshoot too", () => {
    const edges = pixels((x, y) => (x + y) % 2);
    for (let seed = 0; seed < 20; seed++) {
      const result = augmentView(edges, size, new Random(seed), {
        colorJitter: 0.9,
        hue: 0.5,
        scale: [0.1, 1],
      });
      expect(result.length).toBe(image.length);
      expect(result.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  it("is the identity when no range is left", () => {
    expectClose(view(identity), image, { absolute: 1e-6 });
  });

  it("flips the axis that it is asked to", () => {
    const plain = view(identity);
    const at = (x: number, y: number, channel: number) => plain[(y * size + x) * 3 + channel];
    expectClose(
      view({ ...identity, horizontalFlip: 1 }),
      pixels((x, y, c) => at(size - 1 - x, y, c)),
      { absolute: 1e-6 },
    );
    expectClose(
      view({ ...identity, verticalFlip: 1 }),
      pixels((x, y, c) => at(x, size - 1 - y, c)),
      { absolute: 1e-6 },
    );
  });

  it("crops inside the image: a quarter of a ramp's area rises half as far", () => {
    const ramp = pixels((x) => (x + 0.5) / size);
    const result = view({ ...identity, scale: [0.25, 0.25] }, ramp);
    const row = Array.from({ length: size }, (_, x) => result[x * 3]);
    // Keys' kernel reproduces a straight line; its taps repeat the edge only within two pixels of it.
    for (let x = 3; x < size - 3; x++) {
      expectClose([row[x + 1] - row[x]], [0.5 / size], { absolute: 1e-6 });
    }
    expect(row[0]).toBeGreaterThanOrEqual(0);
    expect(row[size - 1]).toBeLessThanOrEqual(1);
  });

  it("leaves grey grey, whatever the hue", () => {
    const grey = pixels((x, y) => pixel(x, y, 0));
    const result = view({ ...identity, hue: 0.5 }, grey);
    expectClose(result, grey, { absolute: 1e-6 });
  });

  it("keeps luma, whatever the hue, where nothing is clamped", () => {
    const luma = (x: Float32Array) =>
      Array.from(
        { length: size * size },
        (_, i) => 0.299 * x[3 * i] + 0.587 * x[3 * i + 1] + 0.114 * x[3 * i + 2],
      );
    const soft = image.map((value) => 0.45 + value / 10);
    const turned = view({ ...identity, hue: 0.5 }, soft);
    expect(() => expectClose(turned, soft, { absolute: 1e-3 })).toThrow(/differ/);
    expectClose(luma(turned), luma(soft), { absolute: 1e-6 });
  });

  it("refuses an image of another size", () => {
    expect(() => augmentView(image, 8, new Random(0))).toThrow(/size \* size \* 3 = 192 values, got 243/);
  });
});
