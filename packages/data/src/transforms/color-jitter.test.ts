import { expectClose, uniformArray } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { Draws } from "../random/draws.js";
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  colorJitter,
} from "./color-jitter.js";

const image = { data: uniformArray(3, 5 * 4 * 3, 0, 1), width: 5, height: 4 };
const draws = (seed: number) => new Draws({ seed, epoch: 0, name: "image", stream: "augment" });
// Values against torchvision's are in golden.test.ts.

describe("adjusting", () => {
  it("by nothing changes nothing", () => {
    for (const adjust of [adjustBrightness, adjustContrast, adjustSaturation]) {
      expectClose(adjust(image, 1).data, image.data, { absolute: 1e-7 });
    }
    expectClose(adjustHue(image, 0).data, image.data, { absolute: 1e-6 });
  });

  it("turns red to green, and a whole turn in two halves back", () => {
    const red = { data: new Float32Array([1, 0, 0]), width: 1, height: 1 };
    expectClose(adjustHue(red, 1 / 3).data, [0, 1, 0], { absolute: 1e-6 });
    expectClose(adjustHue(adjustHue(image, 0.5), 0.5).data, image.data, { absolute: 1e-6 });
    const grey = { data: new Float32Array([0.5, 0.5, 0.5, 0, 0, 0]), width: 2, height: 1 };
    expect(adjustHue(grey, 0.3).data).toEqual(grey.data);
  });

  it("refuses factors out of range", () => {
    expect(() => adjustHue(image, 0.6)).toThrow(/adjustHue: factor must be .* at most 0.5, got 0.6/);
    for (const adjust of [adjustBrightness, adjustContrast, adjustSaturation]) {
      expect(() => adjust(image, -1)).toThrow(/factor must be a finite number, at least 0, got -1/);
    }
  });
});

it("refuses pixels outside [0, 1], as a resize of float32 pixels may make them", () => {
  for (const bad of [-0.01, 1.01, Number.NaN, Infinity]) {
    const one = { data: new Float32Array([0.5, bad, 0.25]), width: 1, height: 1 };
    for (const adjust of [adjustBrightness, adjustContrast, adjustSaturation, adjustHue]) {
      expect(() => adjust(one, 0.1)).toThrow(
        `${adjust.name}: image must have float32 pixels in [0, 1], got ${one.data[1]} at 1`,
      );
    }
    expect(() => colorJitter(one, {}, draws(1))).toThrow(/^colorJitter: image must have float32 pixels in/);
  }
});

describe("colorJitter", () => {
  it("is one of the adjustments where only one is asked for", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { data } = colorJitter(image, { brightness: 0.3 }, draws(seed));
      const i = image.data.findIndex((value) => value > 0.1 && value < 0.6);
      const factor = data[i]! / image.data[i]!;
      expect(factor).toBeGreaterThanOrEqual(0.7);
      expect(factor).toBeLessThanOrEqual(1.3);
      expectClose(data, adjustBrightness(image, factor).data, { absolute: 1e-6 });
    }
  });

  it("applies the adjustments in random order, each once", () => {
    const dark = { data: new Float32Array([0.9, 0.6, 0.3]), width: 1, height: 1 };
    const results = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const { data } = colorJitter(
        dark,
        { brightness: 1, contrast: 1, saturation: 1, hue: 0.5 },
        draws(seed),
      );
      expect(data.every((value) => value >= 0 && value <= 1)).toBe(true);
      results.add(data.join());
    }
    expect(results.size).toBe(50);
  });

  it("copies where nothing is asked for, and refuses what makes no sense", () => {
    const same = colorJitter(image, {}, draws(1));
    expect(same.data).toEqual(image.data);
    expect(same.data).not.toBe(image.data);
    expect(() => colorJitter(image, { hue: 0.7 }, draws(1))).toThrow(/colorJitter: hue must be/);
    expect(() => colorJitter(image, { contrast: -0.1 }, draws(1))).toThrow(/colorJitter: contrast must be/);
    expect(() => colorJitter(image, { colour: 1 } as never, draws(1))).toThrow(/unknown option "colour"/);
  });
});
