import { describe, expect, it } from "vitest";
import { appearanceOf } from "./appearance.js";
import { IMAGE_BYTES, IMAGE_SIZE } from "./images.js";

type Rgb = readonly [number, number, number];

/** White, with rectangles `[left, top, width, height]` painted on it. */
function painted(...rectangles: [Rgb, [number, number, number, number]][]): Uint8Array {
  const image = new Uint8Array(IMAGE_BYTES).fill(255);
  for (const [colour, [left, top, width, height]] of rectangles) {
    for (let y = top; y < top + height; y++) {
      for (let x = left; x < left + width; x++) image.set(colour, 3 * (y * IMAGE_SIZE + x));
    }
  }
  return image;
}

const red: Rgb = [221, 46, 68];
const yellow: Rgb = [255, 204, 77];
const black: Rgb = [20, 20, 20];

describe("appearanceOf", () => {
  it("names the main colours, the largest first, and leaves small ones out", () => {
    const image = painted([yellow, [4, 4, 20, 24]], [black, [4, 4, 20, 8]], [red, [10, 20, 4, 4]]);
    expect(appearanceOf(image, 0)).toBe("yellow black");
  });

  it("says what is wide, tall, small and large", () => {
    expect(appearanceOf(painted([red, [2, 10, 28, 12]]), 0)).toBe("red wide");
    expect(appearanceOf(painted([red, [13, 2, 6, 28]]), 0)).toBe("red tall small");
    expect(appearanceOf(painted([red, [1, 1, 30, 30]]), 0)).toBe("red large");
  });

  it("reads the image that the index names, and calls an empty one white", () => {
    const both = new Uint8Array(2 * IMAGE_BYTES).fill(255);
    both.set(painted([red, [4, 4, 24, 20]]), IMAGE_BYTES);
    expect(appearanceOf(both, 0)).toBe("white");
    expect(appearanceOf(both, 1)).toBe("red");
  });
});
