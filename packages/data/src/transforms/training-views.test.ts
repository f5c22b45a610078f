import { expectClose, syntheticPixels } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { Draws } from "../random/draws.js";
import { colorJitter } from "./color-jitter.js";
import { centerCrop, crop, horizontalFlip, verticalFlip } from "./crop.js";
import { randomCropBox } from "./random-resized-crop.js";
import { rescale } from "./rescale.js";
import { resize } from "./resize.js";
import { checkViewOptions, trainingViews } from "./training-views.js";

const image = { data: syntheticPixels(4, 61, 43), width: 61, height: 43 };
const key = { seed: 5, epoch: 1, name: "a/b.jpg" };
const still = { brightness: 0, contrast: 0, saturation: 0, hue: 0, horizontalFlip: 0, verticalFlip: 0 };

describe("trainingViews", () => {
  it("has the paper's defaults", () => {
    expect(checkViewOptions("f", { size: 224 })).toEqual({
      size: 224,
      crop: { scale: [0.9, 1], ratio: [3 / 4, 4 / 3] },
      augment: {
        brightness: 0.1,
        contrast: 0.1,
        saturation: 0.1,
        hue: 0.05,
        horizontalFlip: 0.5,
        verticalFlip: 0.5,
        scale: [0.9, 1],
        ratio: [0.9, 1.1],
      },
      resample: "bicubic",
    });
  });

  it("takes both views from the image itself, by the draws of their streams", () => {
    const views = checkViewOptions("f", { size: 16 });
    const result = trainingViews(image, views, key);
    const part = (range: Parameters<typeof randomCropBox>[1], draws: Draws) =>
      rescale(resize(crop(image, randomCropBox(image, range, draws)), { width: 16, height: 16 }));
    const plain = part({ scale: [0.9, 1], ratio: [3 / 4, 4 / 3] }, new Draws({ ...key, stream: "crop" }));
    expect(result.image).toEqual(plain.data);
    const draws = new Draws({ ...key, stream: "augment" });
    const cut = part({ scale: [0.9, 1], ratio: [0.9, 1.1] }, draws);
    let view = colorJitter(cut, { brightness: 0.1, contrast: 0.1, saturation: 0.1, hue: 0.05 }, draws);
    if (draws.next() < 0.5) view = horizontalFlip(view);
    if (draws.next() < 0.5) view = verticalFlip(view);
    expect(result.augmented).toEqual(view.data);
  });

  it("crops the centre after the shortest edge, as evaluation does", () => {
    const views = checkViewOptions("f", { size: 16, crop: "center", resample: "bilinear" });
    const resized = resize(image, { width: 22, height: 16, resample: "bilinear" });
    const expected = rescale(centerCrop(resized, { width: 16, height: 16 }));
    expect(trainingViews(image, views, key).image).toEqual(expected.data);
  });

  it("flips with the chance that it is given", () => {
    const all = { ...still, scale: [1, 1], ratio: [1, 1] } as const;
    const square = { data: syntheticPixels(1, 8, 8), width: 8, height: 8 };
    const [both, none] = [1, 0].map((chance) => {
      const augment = { ...all, horizontalFlip: chance, verticalFlip: chance };
      return trainingViews(square, checkViewOptions("f", { size: 8, augment }), key).augmented;
    });
    const plain = rescale(square);
    expectClose(none!, plain.data);
    expectClose(both!, verticalFlip(horizontalFlip(plain)).data);
  });

  it("keeps float32 pixels in [0, 1] where the filter overshoots", () => {
    const edges = Float32Array.from({ length: 9 * 9 * 3 }, (_, i) => (Math.floor(i / 3) % 2 === 0 ? 1 : 0));
    const views = checkViewOptions("f", { size: 16, resample: "lanczos" });
    const result = trainingViews({ data: edges, width: 9, height: 9 }, views, key);
    for (const view of [result.image, result.augmented]) {
      expect(view.every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });
});
