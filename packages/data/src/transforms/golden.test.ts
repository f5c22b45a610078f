import { readFileSync } from "node:fs";
import { expectClose, syntheticPixels } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from "./color-jitter.js";
import { centerCrop, crop, shortestEdgeSize } from "./crop.js";
import { applyEvalTransform } from "./eval-transform.js";
import type { RGBImage } from "./image.js";
import { randomCropBox } from "./random-resized-crop.js";
import { resize } from "./resize.js";

// Made by Pillow, torchvision and transformers: tools/reference/data_transforms.py.
const golden = JSON.parse(readFileSync(new URL("../../fixtures/transforms.json", import.meta.url), "utf8"));

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const floats = (text: string) => new Float32Array(bytes(text).buffer);

function synthetic(index: number, width = 7 + ((index * 37) % 61), height = 5 + ((index * 53) % 47)) {
  return { data: syntheticPixels(index, width, height), width, height };
}

const toFloat = (image: RGBImage): RGBImage<Float32Array> => ({
  ...image,
  data: Float32Array.from(image.data, (value) => Math.fround(value) / 255),
});

function largest(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  let most = 0;
  for (let i = 0; i < actual.length; i++) most = Math.max(most, Math.abs(actual[i]! - expected[i]!));
  return most;
}

describe("the numbers of Pillow, torchvision and transformers", () => {
  it("resize equals Pillow's on uint8, up and down, with every filter and a box", () => {
    for (const { image, data, box, filter, width, height } of golden.resize) {
      const result = resize(synthetic(image), { width, height, resample: filter, box: box ?? undefined });
      expect(largest(result.data, bytes(data)), `image ${image}, ${filter}, ${width} x ${height}`).toBe(0);
    }
    expect(new Set(golden.resize.map(({ image }: { image: number }) => image)).size).toBe(40);
  });

  it("resize equals Pillow's mode F on float32", () => {
    for (const { image, data, filter, width, height } of golden.resize_float) {
      const result = resize(toFloat(synthetic(image)), { width, height, resample: filter });
      expectClose(result.data, floats(data), { absolute: 1e-7, relative: 1e-6 });
    }
  });

  it("centerCrop equals transformers', with padding", () => {
    for (const { image, data, width, height } of golden.center_crop) {
      expect(centerCrop(synthetic(image), { width, height }).data).toEqual(bytes(data));
    }
  });

  it("shortestEdgeSize equals transformers' and torchvision's", () => {
    for (const { width, height, edge, to } of golden.shortest_edge) {
      const size = shortestEdgeSize({ width, height }, edge);
      expect([size.width, size.height]).toEqual(to);
    }
  });

  it("randomCropBox equals torchvision's for the same draws, its fallback too", () => {
    let fallbacks = 0;
    for (const { image, scale, ratio, draws, box, data } of golden.random_resized_crop) {
      const source = synthetic(image);
      let used = 0;
      const found = randomCropBox(source, { scale, ratio }, { next: () => draws[used++] });
      expect([found.left, found.top, found.width, found.height]).toEqual(box);
      expect(used).toBe(draws.length);
      if (used === 20) fallbacks++;
      if (data) {
        expect(resize(crop(source, found), { width: 8, height: 8 }).data).toEqual(bytes(data));
      }
    }
    expect(fallbacks).toBeGreaterThan(5);
  });

  it("colours move as torchvision's float tensors do", () => {
    const adjust = [adjustBrightness, adjustContrast, adjustSaturation, adjustHue];
    for (const { image, width, height, factors, order, data } of golden.color_jitter) {
      const source = toFloat(synthetic(image, width, height));
      source.data.fill(0.5, 0, 3);
      const results = adjust.map((f, i) => f(source, factors[i]));
      let together = source;
      for (const i of order) together = adjust[i]!(together, factors[i]);
      results.push(together);
      const expected = floats(data);
      const length = width * height * 3;
      for (const [i, result] of results.entries()) {
        expectClose(result.data, expected.subarray(i * length, (i + 1) * length), { absolute: 2e-6 });
      }
    }
  });

  it("applyEvalTransform equals transformers' CLIP image processor with the PIL backend", () => {
    const normalize = {
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
    } as const;
    for (const { image, size, crop, resample, data } of golden.clip_processor) {
      const edges = size.shortest_edge ? { shortestEdge: size.shortest_edge } : size;
      const result = applyEvalTransform(synthetic(image), {
        resize: edges,
        crop: crop ?? undefined,
        resample,
        normalize,
      });
      expectClose(result.data, floats(data), { absolute: 1e-6 });
    }
  });
});
