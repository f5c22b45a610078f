import { describe, expect, it } from "vitest";
import { Draws } from "../random/draws.js";
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  colorJitter,
} from "./color-jitter.js";
import { centerCrop, crop, horizontalFlip, verticalFlip } from "./crop.js";
import { applyEvalTransform } from "./eval-transform.js";
import { checkImage, type RGBImage } from "./image.js";
import { randomResizedCrop } from "./random-resized-crop.js";
import { normalize, rescale } from "./rescale.js";
import { resize } from "./resize.js";

const draws = new Draws({ seed: 0, epoch: 0, name: "", stream: "crop" });
const box = { left: 0, top: 0, width: 1, height: 1 };
const size = { width: 1, height: 1 };

const onAny: Record<string, (image: never) => unknown> = {
  resize: (image) => resize(image, size),
  crop: (image) => crop(image, box),
  centerCrop: (image) => centerCrop(image, size),
  horizontalFlip,
  verticalFlip,
  rescale,
  applyEvalTransform: (image) => applyEvalTransform(image, {}),
  randomResizedCrop: (image) => randomResizedCrop(image, { size: 1 }, draws),
};
const onFloats: Record<string, (image: never) => unknown> = {
  adjustBrightness: (image) => adjustBrightness(image, 1),
  adjustContrast: (image) => adjustContrast(image, 1),
  adjustSaturation: (image) => adjustSaturation(image, 1),
  adjustHue: (image) => adjustHue(image, 0),
  colorJitter: (image) => colorJitter(image, {}, draws),
  normalize: (image) => normalize(image, { mean: [0, 0, 0], std: [1, 1, 1] }),
};

describe("public transforms", () => {
  it.each(Object.entries({ ...onAny, ...onFloats }))("%s refuses what is no image", (name, transform) => {
    const wrong: [unknown, string][] = [
      [undefined, "must be { data: Uint8Array or Float32Array, width, height }, got undefined"],
      [Promise.resolve(), "must be { data: Uint8Array or Float32Array, width, height }, got a Promise"],
      [{ data: [1, 2, 3], width: 1, height: 1 }, "got an array of 3"],
      [{ data: new Float32Array(4), width: 1, height: 1 }, "got height 1, width 1 and 4 numbers"],
      [{ data: new Float32Array(3), width: 1 }, "got height undefined, width 1 and 3 numbers"],
    ];
    for (const [image, message] of wrong) {
      expect(() => transform(image as never)).toThrow(`${name}: image must`);
      expect(() => transform(image as never)).toThrow(message);
    }
  });

  it.each(Object.entries(onFloats))("%s refuses uint8 pixels, which it would round", (name, transform) => {
    const image = { data: new Uint8Array(3), width: 1, height: 1 };
    expect(() => transform(image as never)).toThrow(
      `${name}: image must have float32 pixels, got a Uint8Array; rescale makes them`,
    );
  });
});

it("checkImage refuses float32 pixels outside [0, 1]", () => {
  const image = (value: number): RGBImage => ({ data: new Float32Array([0, 1, value]), width: 1, height: 1 });
  expect(checkImage("x", image(0.5))).toEqual(image(0.5));
  for (const value of [Number.NaN, -0.1, 1.1, Number.POSITIVE_INFINITY]) {
    const shown = Math.fround(value);
    expect(() => checkImage("x", image(value))).toThrow(
      `x must have float32 pixels in [0, 1], got ${shown} at 2`,
    );
  }
});

it("normalize refuses options that it does not know", () => {
  const pixels = { data: new Float32Array(3), width: 1, height: 1 };
  const options = { mean: [0, 0, 0], std: [1, 1, 1], scale: 2 } as never;
  expect(() => normalize(pixels, options)).toThrow(/^normalize: unknown option "scale"/);
  expect(() => normalize(pixels, undefined as never)).toThrow(/^normalize: mean must be three numbers/);
});
