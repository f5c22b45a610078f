import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, readSafetensors } from "@dcr-js/tensor";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { CLIPImageProcessor } from "./clip-image-processor.js";

const fixture = fileURLToPath(new URL("../../fixtures/clip-quick-gelu", import.meta.url));
beforeAll(() => initialize({ device: "cpu" }));

describe("CLIPImageProcessor", () => {
  it("normalises as transformers does, and leaks nothing", async () => {
    const golden = await readSafetensors(join(fixture, "processor.safetensors"));
    const processor = await CLIPImageProcessor.fromPretrained(fixture);
    const before = tf.memory().numTensors;
    const normalized = processor.normalize(golden["images"] as tf.Tensor4D);
    expectClose(normalized, golden["normalized"]!, { absolute: 2e-6 });
    normalized.dispose();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(golden);
  });

  it("tells the geometry, in each of the forms it is written", async () => {
    const processor = await CLIPImageProcessor.fromPretrained(fixture);
    expect(processor.resize).toEqual({ shortestEdge: 16 });
    expect(processor.crop).toEqual({ height: 16, width: 16 });
    expect(processor.resample).toBe("bicubic");
    const old = new CLIPImageProcessor({ size: 224, crop_size: 224, resample: 2 });
    expect([old.resize, old.crop, old.resample]).toEqual([
      { shortestEdge: 224 },
      { height: 224, width: 224 },
      "bilinear",
    ]);
    const both = new CLIPImageProcessor({ size: { height: 8, width: 9 }, do_center_crop: false });
    expect([both.resize, both.crop]).toEqual([{ height: 8, width: 9 }, undefined]);
    expect(new CLIPImageProcessor().config.image_mean).toEqual([0.48145466, 0.4578275, 0.40821073]);
  });

  it("leaves images alone where do_normalize is false", () => {
    const images = tf.ones<tf.Rank.R4>([1, 2, 2, 3]);
    const same = new CLIPImageProcessor({ do_normalize: false }).normalize(images);
    expect(same.dataSync()).toEqual(images.dataSync());
    tf.dispose([images, same]);
  });

  it("names wrong files, settings and inputs", async () => {
    const folder = await mkdtemp(join(tmpdir(), "clip-processor-"));
    await expect(CLIPImageProcessor.fromPretrained(folder)).rejects.toThrow(
      /CLIPImageProcessor\.fromPretrained: .*preprocessor_config\.json does not exist/,
    );
    await writeFile(join(folder, "preprocessor_config.json"), "nonsense");
    await expect(CLIPImageProcessor.fromPretrained(folder)).rejects.toThrow(/is not valid JSON/);
    await rm(folder, { recursive: true });
    expect(() => new CLIPImageProcessor({ image_std: [1, 0, 1] })).toThrow(
      /image_std: must be positive, got \[1,0,1\]/,
    );
    const wrong = tf.zeros<tf.Rank.R4>([1, 3, 8, 8]);
    expect(() => new CLIPImageProcessor().normalize(wrong)).toThrow(
      /images must be \[batch, height, width, 3\], got \[1,3,8,8\]/,
    );
    wrong.dispose();
  });
});
