import { describe, expect, it } from "vitest";
import { centerCrop, crop, horizontalFlip, shortestEdgeSize, verticalFlip } from "./crop.js";

// Values against transformers' are in golden.test.ts. Here a pixel is its index, in all three channels.
function numbered(width: number, height: number) {
  return {
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => Math.floor(i / 3)),
    width,
    height,
  };
}
const reds = ({ data }: { data: Uint8Array }) => [...data].filter((_, i) => i % 3 === 0);

describe("crop", () => {
  it("takes a rectangle", () => {
    expect(reds(crop(numbered(4, 3), { left: 1, top: 1, width: 2, height: 2 }))).toEqual([5, 6, 9, 10]);
  });

  it.each([
    { left: -1, top: 0, width: 2, height: 2 },
    { left: 3, top: 0, width: 2, height: 2 },
    { left: 0, top: 2, width: 2, height: 2 },
    { left: 0, top: 0, width: 0, height: 2 },
    { left: 0.5, top: 0, width: 2, height: 2 },
  ])("refuses %j, which is not in 4 x 3", (box) => {
    expect(() => crop(numbered(4, 3), box)).toThrow(/^crop: box must lie inside 4 x 3 pixels, got left/);
  });
});

it("centerCrop pads with black, more before than after", () => {
  const { data, width, height } = centerCrop(numbered(1, 2), { width: 4, height: 1 });
  expect([width, height, reds({ data })]).toEqual([4, 1, [0, 0, 0, 0]]);
  const filled = centerCrop(
    { data: new Uint8Array(3).fill(9), width: 1, height: 1 },
    { width: 4, height: 1 },
  );
  expect(reds(filled)).toEqual([0, 0, 9, 0]);
  expect(() => centerCrop(numbered(1, 2), { width: 0, height: 1 })).toThrow(/centerCrop: width must be/);
  // Memory for it would fail with a RangeError that names nothing.
  expect(() => centerCrop(numbered(1, 2), { width: 1e9, height: 1 })).toThrow(
    "centerCrop: width must be an integer, at least 1 and at most 1048576, got 1000000000",
  );
  expect(() => centerCrop(numbered(1, 2), { width: 2 ** 20, height: 257 })).toThrow(
    "centerCrop: width * height must be at most 268435456, got 1048576 * 257",
  );
});

it("flips mirror, and twice is once", () => {
  const image = numbered(3, 2);
  expect(reds(horizontalFlip(image))).toEqual([2, 1, 0, 5, 4, 3]);
  expect(reds(verticalFlip(image))).toEqual([3, 4, 5, 0, 1, 2]);
  expect(horizontalFlip(horizontalFlip(image))).toEqual(image);
  expect(verticalFlip(verticalFlip(image))).toEqual(image);
});

it("shortestEdgeSize refuses an edge that is no size", () => {
  expect(() => shortestEdgeSize({ width: 3, height: 4 }, 0)).toThrow(
    /edge must be an integer, at least 1, got 0/,
  );
  expect(() => shortestEdgeSize({ width: Number.NaN, height: 4 }, 3)).toThrow(
    /image.width must be an integer, at least 1, got NaN/,
  );
  expect(() => shortestEdgeSize({ width: 3 } as never, 3)).toThrow(/image.height must be .* got undefined/);
});
