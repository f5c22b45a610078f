import { createHash } from "node:crypto";
import { Random } from "@dcr-js/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { factors } from "./factors.js";
import { renderScene } from "./render.js";
import { type Scene, sampleScene } from "./scene.js";
import { loadSprites, type Sprites } from "./sprites.js";

let sprites: Sprites;
beforeAll(async () => {
  sprites = await loadSprites();
});

const plain: Scene = {
  ...{ identity: "tiger", style: "noto", facing: "left", rotation: "upright", count: 1, position: "left" },
  ...{ size: "large", tint: "natural", background: "grey", extra: "none" },
} as Scene;
const render = (scene: Scene, size = 32, seed = 1) =>
  renderScene(scene, { size, sprites, random: new Random(seed) });

/** Where an image differs from the background: the differing pixels' mean x and y in [0, 1] and their share. */
function drawing(scene: Scene, size = 64) {
  const [image, empty] = [render(scene, size), render({ ...scene, identity: "bicycle" }, size)];
  let [sumX, sumY, count] = [0, 0, 0];
  for (let i = 0; i < size * size; i++) {
    if ([0, 1, 2].every((c) => image[3 * i + c] === empty[3 * i + c])) continue;
    sumX += (i % size) / size;
    sumY += Math.floor(i / size) / size;
    count++;
  }
  return { x: sumX / count, y: sumY / count, share: count / size ** 2 };
}

describe("renderScene", () => {
  it("gives these bytes everywhere", () => {
    const random = new Random(11);
    const hash = createHash("sha256");
    for (let i = 0; i < 100; i++) {
      hash.update(renderScene(sampleScene(random), { size: i % 2 === 0 ? 32 : 64, sprites, random }));
    }
    expect(hash.digest("hex")).toBe("c94b66a048055946a9cd48e7768871d62c14de2c2c58d0fd04164b61d7624316");
  });

  it("is a function of the scene and the seed", () => {
    expect(render(plain)).toEqual(render(plain));
    expect(render(plain, 32, 2)).not.toEqual(render(plain));
  });

  it("places, sizes and counts the drawings", () => {
    expect(drawing({ ...plain, position: "left" }).x).toBeLessThan(0.4);
    expect(drawing({ ...plain, position: "right" }).x).toBeGreaterThan(0.6);
    expect(drawing({ ...plain, position: "top" }).y).toBeLessThan(0.4);
    expect(drawing({ ...plain, position: "bottom" }).y).toBeGreaterThan(0.6);
    const [small, large] = [drawing({ ...plain, size: "small" }), drawing(plain)];
    expect(large.share / small.share).toBeGreaterThan(2);
    const two = drawing({ ...plain, count: 2, size: "small" });
    expect(two.share / small.share).toBeGreaterThan(1.4);
  });

  it("mirrors left to right by facing and top to bottom by rotation", () => {
    // In a scene with no slope of light only the drawing differs.
    const still = { uniform: () => 0.5 };
    const random = () => {
      const own = new Random(0);
      own.integerArray = (n, low, high) => new Int32Array(n).fill(low + (high - low) * still.uniform());
      return own;
    };
    const at = (scene: Scene) =>
      renderScene({ ...scene, position: "top" }, { size: 64, sprites, random: random() });
    const flipX = (image: Uint8Array) =>
      image.map((_, i) => image[(Math.floor(i / 192) * 64 + 63 - Math.floor((i % 192) / 3)) * 3 + (i % 3)]);
    expect(at({ ...plain, facing: "right" })).toEqual(flipX(at(plain)));
    const flipY = (image: Uint8Array) =>
      image.map((_, i) => image[(63 - Math.floor(i / 192)) * 192 + (i % 192)]);
    const below = renderScene(
      { ...plain, position: "bottom", rotation: "upside down" },
      { size: 64, sprites, random: random() },
    );
    expect(below).toEqual(flipY(at(plain)));
  });

  it("shows the same scene at another size", () => {
    const random = new Random(4);
    for (let i = 0; i < 20; i++) {
      const scene = sampleScene(random);
      const [small, large] = [render(scene, 32, i), render(scene, 64, i)];
      let difference = 0;
      for (let at = 0; at < small.length; at++) {
        const [y, x, c] = [Math.floor(at / 96), Math.floor((at % 96) / 3), at % 3];
        const value = (dy: number, dx: number) => large[((2 * y + dy) * 64 + 2 * x + dx) * 3 + c];
        const mean = (value(0, 0) + value(0, 1) + value(1, 0) + value(1, 1)) / 4;
        difference += Math.abs(small[at] - mean) / small.length;
      }
      // Whole pixels at both sizes: edges move by up to half a pixel.
      expect(difference).toBeLessThan(9);
    }
  });

  it("changes pixels with every factor", () => {
    for (const [factor, values] of Object.entries(factors)) {
      const images = values.map((value) => render({ ...plain, [factor]: value } as Scene).join());
      expect(new Set(images).size, factor).toBe(values.length);
    }
  });

  it("names what is wrong", () => {
    expect(() => render(plain, 15)).toThrow(
      "renderScene: size must be an integer, at least 16 and at most 4096, got 15",
    );
    const options = { sprites, random: new Random(0), colour: 1 };
    expect(() => renderScene(plain, options)).toThrow(/renderScene: unknown option "colour"/);
    expect(() => render({ ...plain, extra: "moon" } as unknown as Scene)).toThrow(
      'renderScene: extra must be one of none, star, heart, clover, got "moon"',
    );
  });
});
