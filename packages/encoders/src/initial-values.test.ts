import { readFileSync } from "node:fs";
import { initialize, type Module, Random } from "@dcr-js/tensor";
import { beforeAll, expect, it } from "vitest";
import { CLIPModel } from "./clip/clip-model.js";
import { CLIPTextModelWithProjection } from "./clip/clip-text-model-with-projection.js";
import { CLIPVisionModelWithProjection } from "./clip/clip-vision-model-with-projection.js";
import { SiglipModel } from "./siglip/siglip-model.js";

/** The root mean square of each parameter's first values in transformers, over 32 models. */
const goldens: Record<string, { config: Record<string, unknown>; rms: Record<string, number> }> = JSON.parse(
  readFileSync(new URL("../fixtures/initial-values.json", import.meta.url), "utf8"),
);
const classes: Record<string, new (config: Record<string, unknown>) => Module> = {
  CLIPModel,
  CLIPTextModelWithProjection,
  CLIPVisionModelWithProjection,
  SiglipModel,
};
const [theirs, ours] = [32, 8];
/**
 * Meant as LeCun's normal, a normal cut at two deviations and scaled up for what the cut takes. transformers 5 scales and does not cut; here
 * the deviation is LeCun's.
 */
const lecun = [
  "text_model.head.weight",
  "vision_model.embeddings.patch_embedding.weight",
  "vision_model.head.attention.out_proj.weight",
];
const cutDeviation = 0.8796;

beforeAll(() => initialize({ device: "cpu" }));

it.each(Object.entries(goldens))("%s starts with values as large as transformers'", (name, golden) => {
  const squares = new Map<string, number>();
  const sizes = new Map<string, number>();
  for (let seed = 0; seed < ours; seed++) {
    const model = new classes[name]!(golden.config).initialize(new Random(seed));
    for (const [key, { value }] of model.namedParameters()) {
      const sum = value.dataSync<"float32">().reduce((total, x) => total + x * x, 0);
      squares.set(key, (squares.get(key) ?? 0) + sum);
      sizes.set(key, value.size);
    }
    model.dispose();
  }
  expect(Array.from(squares.keys()).sort()).toEqual(Object.keys(golden.rms).sort());
  for (const [key, rms] of Object.entries(golden.rms)) {
    const size = sizes.get(key)!;
    const own = Math.sqrt(squares.get(key)! / (size * ours));
    const expected = name === "SiglipModel" && lecun.includes(key) ? rms * cutDeviation : rms;
    // Five standard errors of both; what is constant is equal to the digits of the file.
    const constant = rms === 0 || rms === 1 || key === "logit_scale";
    const allowed = constant ? 1e-6 : 5 * Math.sqrt((1 / theirs + 1 / ours) / (2 * size));
    expect(Math.abs(own - expected), key).toBeLessThanOrEqual(allowed * Math.max(expected, 1e-12));
  }
});
