import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Draws } from "../random/draws.js";
import { randomCropBox, randomResizedCrop } from "./random-resized-crop.js";

const draws = (seed: number) => new Draws({ seed, epoch: 0, name: "image", stream: "crop" });
// Values against torchvision's are in golden.test.ts.

describe("randomCropBox", () => {
  it("lies inside the image", () => {
    const edge = fc.integer({ min: 1, max: 5000 });
    const range = (min: number, max: number) =>
      fc
        .tuple(fc.double({ min, max, noNaN: true }), fc.double({ min, max, noNaN: true }))
        .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    fc.assert(
      fc.property(
        edge,
        edge,
        range(1e-6, 1),
        range(0.01, 100),
        fc.nat(),
        (width, height, scale, ratio, seed) => {
          const box = randomCropBox({ width, height }, { scale, ratio }, draws(seed));
          expect(Math.min(box.left, box.top)).toBeGreaterThanOrEqual(0);
          expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(1);
          expect(box.left + box.width).toBeLessThanOrEqual(width);
          expect(box.top + box.height).toBeLessThanOrEqual(height);
          expect(Object.values(box).every(Number.isInteger)).toBe(true);
        },
      ),
    );
  });

  it("keeps area and ratio within their ranges where the image allows it", () => {
    for (let seed = 0; seed < 200; seed++) {
      const box = randomCropBox(
        { width: 1000, height: 1000 },
        { scale: [0.3, 0.6], ratio: [0.8, 1.25] },
        draws(seed),
      );
      const area = (box.width * box.height) / 1e6;
      // Edges are rounded to whole pixels.
      expect(area).toBeGreaterThan(0.298);
      expect(area).toBeLessThan(0.602);
      expect(box.width / box.height).toBeGreaterThan(0.797);
      expect(box.width / box.height).toBeLessThan(1.254);
    }
  });
});

describe("randomResizedCrop", () => {
  const image = { data: new Uint8Array(20 * 10 * 3).fill(9), width: 20, height: 10 };

  it("gives a square", () => {
    const result = randomResizedCrop(image, { size: 6 }, draws(1));
    expect([result.width, result.height, result.data.every((value) => value === 9)]).toEqual([6, 6, true]);
  });

  it("has torchvision's ranges by default", () => {
    const boxes = Array.from({ length: 300 }, (_, seed) =>
      randomCropBox({ width: 100, height: 100 }, { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] }, draws(seed)),
    );
    expect(Math.min(...boxes.map(({ width, height }) => width * height))).toBeLessThan(1500);
  });

  it("refuses ranges that make no sense", () => {
    const refused: [object, RegExp][] = [
      [{ size: 0 }, /size must be an integer, at least 1, got 0/],
      [{ scale: [0, 1] }, /scale\[0\] must be a finite number, greater than 0/],
      [{ scale: [0.5, 1.5] }, /scale\[1\] must be .* at most 1, got 1.5/],
      [{ scale: [0.9, 0.1] }, /scale\[1\] must be .* at least 0.9/],
      [{ ratio: 1 }, /ratio must be \[low, high\], got 1/],
      [{ ratios: [1, 1] }, /unknown option "ratios"/],
    ];
    for (const [extra, message] of refused) {
      expect(() => randomResizedCrop(image, { size: 4, ...extra }, draws(1))).toThrow(message);
    }
  });
});
