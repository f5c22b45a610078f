import { copyFile, cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Random, readSafetensors, type StateDict } from "@dcr-js/tensor";
import { expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CLIPModel } from "./clip/clip-model.js";
import { CLIPVisionModelWithProjection } from "./clip/clip-vision-model-with-projection.js";
import { createImageEncoder, loadImageEncoder, loadTextEncoder } from "./load-encoder.js";
import { addLoRA } from "./lora/lora.js";
import { SiglipTextModel } from "./siglip/siglip-text-model.js";
import { SiglipVisionModel } from "./siglip/siglip-vision-model.js";

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const tolerance = { relative: 1e-5 };

let tensors = 0;
let folder = "";
beforeEach(async () => {
  tensors = tf.memory().numTensors;
  folder = await mkdtemp(join(tmpdir(), "load-encoder-"));
});
afterEach(async () => {
  expect(tf.memory().numTensors).toBe(tensors);
  await rm(folder, { recursive: true });
});
beforeAll(() => initialize({ device: "cpu" }));

/** A copy of a fixture with other settings in one of its files. */
async function changed(name: string, file: string, settings: Record<string, unknown>): Promise<string> {
  await cp(fixture(name), folder, { recursive: true });
  const content = JSON.parse(await readFile(join(folder, file), "utf8"));
  await writeFile(join(folder, file), JSON.stringify({ ...content, ...settings }));
  return folder;
}

describe.each([
  ["clip-quick-gelu", "clip", "CLIPModel"],
  ["siglip", "siglip", "SiglipModel"],
] as const)("loadImageEncoder of %s", (name, family, architecture) => {
  let golden: StateDict;
  beforeAll(async () => {
    golden = await readSafetensors(join(fixture(name), "golden.safetensors"));
  });
  afterAll(() => tf.dispose(golden));

  it("gives both towers and the processor of a whole model", async () => {
    const loaded = await loadImageEncoder(fixture(name));
    expect(loaded).toMatchObject({ family, architecture });
    expect(loaded.textEncoder).toBe(loaded.encoder);
    expect(loaded.tokenizer).toBeUndefined();
    expect(loaded.processor.imageSize).toEqual({
      height: loaded.encoder.imageSize,
      width: loaded.encoder.imageSize,
    });
    const image = loaded.encoder.encodeImage(golden["pixels"] as tf.Tensor4D);
    const text = loaded.textEncoder!.encodeText(golden["input_ids"] as tf.Tensor2D);
    expectCloseNorm(image, golden["image_embeds"]!, tolerance);
    expectCloseNorm(text, golden["text_embeds"]!, tolerance);
    tf.dispose([image, text]);
    loaded.dispose();
  });

  it("gives the image tower only, and saves the whole model with its weights", async () => {
    const loaded = await loadImageEncoder(fixture(name), { text: false });
    expect(loaded.textEncoder).toBeUndefined();
    const names = Array.from(loaded.encoder.namedParameters(), ([key]) => key);
    expect(names.every((key) => /^vision_model\.|^visual_projection\./.test(key))).toBe(true);
    const lora = addLoRA(loaded.encoder, { rank: 2, targetModules: ["fc1"] });
    await expect(loaded.savePretrained(folder)).rejects.toThrow(/merge or remove the adapters/);
    for (const layer of lora.layers.values()) {
      const ones = tf.ones(layer.lora_B.weight.shape);
      layer.lora_B.weight.assign(ones);
      ones.dispose();
    }
    lora.merge();
    const expected = loaded.encoder.encodeImage(golden["pixels"] as tf.Tensor4D);
    await loaded.savePretrained(folder);
    const again = await loadImageEncoder(folder);
    expect(again.architecture).toBe(architecture);
    const image = again.encoder.encodeImage(golden["pixels"] as tf.Tensor4D);
    const text = again.textEncoder!.encodeText(golden["input_ids"] as tf.Tensor2D);
    expectCloseNorm(image, expected, { relative: 1e-6 });
    expectCloseNorm(text, golden["text_embeds"]!, tolerance);
    const difference = tf.tidy(() => tf.max(tf.abs(tf.sub(image, golden["image_embeds"]!))).dataSync()[0]!);
    expect(difference).toBeGreaterThan(0.01);
    tf.dispose([expected, image, text]);
    loaded.dispose();
    again.dispose();
  });

  it("createImageEncoder gives the same image tower without weights, and the processor", async () => {
    const shape = await createImageEncoder(fixture(name));
    expect(shape).toMatchObject({ family, architecture, hasText: true });
    expect(shape).not.toHaveProperty("tokenizer");
    const loaded = await loadImageEncoder(fixture(name), { text: false });
    const shapesOf = ({ encoder }: { encoder: typeof loaded.encoder }) =>
      Array.from(encoder.namedParameters(), ([key, { shape }]) => [key, shape]);
    expect(shapesOf(shape)).toEqual(shapesOf(loaded));
    expect(shape.processor.transform).toEqual(loaded.processor.transform);
    loaded.dispose();
    const wrong = await changed(name, "preprocessor_config.json", {
      size: { height: 999, width: 999 },
      do_center_crop: false,
    });
    await expect(createImageEncoder(wrong)).rejects.toThrow(/processor makes images of 999 x 999, but/);
  });

  it("loadTextEncoder gives its text tower only", async () => {
    const loaded = await loadTextEncoder(fixture(name));
    expect(loaded).toMatchObject({ family, architecture });
    expect(loaded).not.toHaveProperty("tokenizer");
    const text = loaded.encoder.encodeText(golden["input_ids"] as tf.Tensor2D);
    expectCloseNorm(text, golden["text_embeds"]!, tolerance);
    text.dispose();
    loaded.dispose();
  });
});

describe("loadImageEncoder", () => {
  it.each([
    ["clip-quick-gelu", "CLIPModel", "CLIPModel"],
    ["siglip", "SiglipModel", "SiglipModel"],
    ["clip-text-quick-gelu", undefined, "CLIPTextModel"],
    ["clip-towers/CLIPTextModelWithProjection", undefined, "CLIPTextModelWithProjection"],
  ] as const)("reads the class of %s from its model_type where it names none", async (name, sees, reads) => {
    const unnamed = await changed(name, "config.json", { architectures: null });
    if (sees) {
      const [loaded, shape] = [await loadImageEncoder(unnamed), await createImageEncoder(unnamed)];
      expect([loaded.architecture, shape.architecture]).toEqual([sees, sees]);
      loaded.dispose();
    } else {
      await expect(loadImageEncoder(unnamed)).rejects.toThrow("must name one of CLIPModel, ");
    }
    const text = await loadTextEncoder(unnamed);
    expect([text.family, text.architecture]).toEqual([name === "siglip" ? "siglip" : "clip", reads]);
    text.dispose();
  });

  it.each(["text", "vision"] as const)(
    "reads SigLIP's %s tower, with and without its class",
    async (part) => {
      const tower = part === "text" ? SiglipTextModel : SiglipVisionModel;
      const alone = await tower.fromPretrained(fixture("siglip"));
      await alone.savePretrained(folder);
      await copyFile(
        join(fixture("siglip"), "preprocessor_config.json"),
        join(folder, "preprocessor_config.json"),
      );
      const load = part === "text" ? loadTextEncoder : loadImageEncoder;
      const named = await load(folder);
      const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
      await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, architectures: undefined }));
      const unnamed = await load(folder);
      for (const { family, architecture } of [named, unnamed])
        expect([family, architecture]).toEqual(["siglip", tower.name]);
      if (part === "vision") expect(await createImageEncoder(folder)).toMatchObject({ hasText: false });
      for (const one of [alone, named, unnamed]) one.dispose();
    },
  );

  it("reads the kind of a tower from its class, or from its weights where it names none", async () => {
    for (const [name, architectures] of [
      ["CLIPVisionModel", ["CLIPVisionModel"]],
      ["CLIPVisionModelWithProjection", null],
      ["CLIPVisionModel", undefined],
    ] as const) {
      const tower = await changed(`clip-towers/${name}`, "config.json", { architectures });
      await copyFile(
        join(fixture("clip-quick-gelu"), "preprocessor_config.json"),
        join(tower, "preprocessor_config.json"),
      );
      const loaded = await loadImageEncoder(tower);
      expect([loaded.family, loaded.architecture]).toEqual(["clip", name]);
      expect(loaded.encoder.featureSize).toBe(name === "CLIPVisionModel" ? 32 : 20);
      loaded.dispose();
      await rename(join(tower, "model.safetensors"), join(tower, "model.fp16.safetensors"));
      const variant = await loadImageEncoder(tower, { variant: "fp16" });
      expect(variant.architecture).toBe(name);
      variant.dispose();
      await rm(folder, { recursive: true });
      folder = await mkdtemp(join(tmpdir(), "load-encoder-"));
    }
  });

  it("gives the tokenizer of a whole model, within its context", async () => {
    const config = {
      hidden_size: 8,
      intermediate_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
    };
    const model = new CLIPModel({
      text_config: { ...config, vocab_size: 742, max_position_embeddings: 12 },
      vision_config: { ...config, image_size: 16, patch_size: 8 },
    });
    model.initialize(new Random(1));
    await model.savePretrained(folder);
    model.dispose();
    for (const file of ["vocab.json", "merges.txt", "tokenizer_config.json"]) {
      await copyFile(join(fixture("clip-tokenizer"), file), join(folder, file));
    }
    await writeFile(
      join(folder, "preprocessor_config.json"),
      JSON.stringify({ size: 16, crop_size: 16, feature_extractor_type: "CLIPFeatureExtractor" }),
    );
    const loaded = await loadImageEncoder(folder);
    const [shape, text] = [await createImageEncoder(folder), await loadTextEncoder(folder)];
    for (const { tokenizer } of [loaded, shape, text])
      expect([tokenizer!.modelMaxLength, tokenizer!.vocabSize]).toEqual([12, 742]);
    text.dispose();
    const features = tf.tidy(() =>
      loaded.textEncoder!.encodeText(loaded.tokenizer!.encode(["a photo of a cat"])),
    );
    expect(features.shape).toEqual([1, 512]);
    features.dispose();
    loaded.dispose();
    await writeFile(join(folder, "added_tokens.json"), '{"<new>": 742}');
    for (const read of [loadImageEncoder, createImageEncoder, loadTextEncoder])
      await expect(read(folder)).rejects.toThrow(
        `${read.name}: ${folder}: the tokenizer gives ids up to 742, but the text tower has 742 tokens`,
      );
    const alone = await loadImageEncoder(folder, { text: false });
    expect(alone.encoder).toBeInstanceOf(CLIPVisionModelWithProjection);
    expect(alone).not.toHaveProperty("tokenizer");
    alone.dispose();
    // A tokenizer of a shorter context than the text tower's keeps it.
    await rm(join(folder, "added_tokens.json"));
    const settings = JSON.parse(await readFile(join(folder, "tokenizer_config.json"), "utf8"));
    await writeFile(
      join(folder, "tokenizer_config.json"),
      JSON.stringify({ ...settings, model_max_length: 9 }),
    );
    const short = await loadTextEncoder(folder);
    expect(short.tokenizer!.modelMaxLength).toBe(9);
    short.dispose();
  });

  it.each([
    ["another class", { architectures: ["ViTModel"], model_type: "vit" }, '"ViTModel"'],
    [
      "a class with another head",
      { architectures: ["CLIPForImageClassification"] },
      '"CLIPForImageClassification"',
    ],
    ["a text tower", { architectures: ["CLIPTextModel"], model_type: "clip_text_model" }, '"CLIPTextModel"'],
    [
      "another kind without a class",
      { architectures: null, model_type: "siglip2" },
      'model_type "siglip2" without architectures',
    ],
    [
      "no kind at all",
      { architectures: undefined, model_type: undefined },
      "model_type undefined without architectures",
    ],
  ])("refuses %s, with the list of those that are known", async (_, settings, came) => {
    await expect(loadImageEncoder(await changed("clip-quick-gelu", "config.json", settings))).rejects.toThrow(
      "must name one of CLIPModel, CLIPVisionModelWithProjection, CLIPVisionModel, SiglipModel, SiglipVisionModel, " +
        `got ${came}`,
    );
  });

  it("refuses an image processor that does not fit, or none", async () => {
    const crop = { crop_size: { height: 32, width: 32 } };
    await expect(
      loadImageEncoder(await changed("clip-quick-gelu", "preprocessor_config.json", crop)),
    ).rejects.toThrow(/the image processor makes images of 32 x 32, but the encoder takes 16 x 16/);
    const type = { image_processor_type: "ViTImageProcessor" };
    await expect(
      loadImageEncoder(await changed("clip-quick-gelu", "preprocessor_config.json", type)),
    ).rejects.toThrow(/image_processor_type must be one of CLIPImageProcessor, .*got "ViTImageProcessor"/);
    await rm(join(folder, "preprocessor_config.json"));
    await expect(loadImageEncoder(folder)).rejects.toThrow(/preprocessor_config\.json does not exist/);
    await expect(loadImageEncoder(folder, { tokenizer: true } as never)).rejects.toThrow(
      /unknown option "tokenizer"/,
    );
    await expect(loadImageEncoder(folder, { text: "no" } as never)).rejects.toThrow("text must be a boolean");
    await expect(loadImageEncoder(folder, { txt: false } as never)).rejects.toThrow(
      'loadImageEncoder: unknown option "txt"; expected some of text, ',
    );
    await expect(loadImageEncoder(folder, null as never)).rejects.toThrow(
      "loadImageEncoder: options must be an object, got null",
    );
    for (const options of [null, 3, "text"])
      await expect(loadImageEncoder(folder, options as never)).rejects.toThrow(
        "loadImageEncoder: options must be an object, got",
      );
    expect((await readdir(folder)).includes("config.json")).toBe(true);
  });

  it("reads the image processor's part of processor_config.json", async () => {
    await cp(fixture("siglip"), folder, { recursive: true });
    const config = JSON.parse(await readFile(join(folder, "preprocessor_config.json"), "utf8"));
    await rm(join(folder, "preprocessor_config.json"));
    await writeFile(join(folder, "processor_config.json"), JSON.stringify({ image_processor: config }));
    const loaded = await loadImageEncoder(folder, { text: false });
    expect(loaded.processor.transform.resize).toEqual({ height: 18, width: 18 });
    loaded.dispose();
  });
});
