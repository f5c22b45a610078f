import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Random, readSafetensors, type StateDict, valueAndGradients } from "@dcr-js/tensor";
import { expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { addLoRA } from "../lora/lora.js";
import { SiglipModel } from "./siglip-model.js";
import { SiglipTextModel } from "./siglip-text-model.js";
import { SiglipVisionModel } from "./siglip-vision-model.js";

const folder = fileURLToPath(new URL("../../fixtures/siglip", import.meta.url));
/** float32 against float64 through two layers. */
const tolerance = { relative: 1e-5 };

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

describe.each(["cpu", "wasm"] as const)("SiglipModel on %s", (device) => {
  let golden: StateDict;
  let model: SiglipModel;
  let pixels: tf.Tensor4D;
  let ids: tf.Tensor2D;
  beforeAll(async () => {
    await initialize({ device });
    golden = await readSafetensors(join(folder, "golden.safetensors"));
    model = await SiglipModel.fromPretrained(folder);
    pixels = golden["pixels"] as tf.Tensor4D;
    ids = golden["input_ids"] as tf.Tensor2D;
  });
  afterAll(() => {
    tf.dispose(golden);
    model.dispose();
  });

  it("gives transformers' features and states", () => {
    const image = model.encodeImage(pixels);
    const text = model.encodeText(ids);
    const states = [model.vision_model.forward(pixels), model.text_model.forward(ids)] as const;
    expectCloseNorm(image, golden["image_embeds"]!, tolerance);
    expectCloseNorm(text, golden["text_embeds"]!, tolerance);
    expectCloseNorm(states[0].lastHiddenState, golden["vision_last_hidden_state"]!, tolerance);
    expectCloseNorm(states[1].lastHiddenState, golden["text_last_hidden_state"]!, tolerance);
    tf.dispose([image, text, ...states.map(({ lastHiddenState, pooled }) => [lastHiddenState, pooled])]);
  });

  it("gives the feature first among its tokens, then the local ones", () => {
    const tokens = model.tokens(pixels);
    expect(tokens.shape).toEqual([3, 1 + 16, model.featureSize]);
    const expected = tf.tidy(() =>
      tf.concat([tf.expandDims(golden["image_embeds"]!, 1), golden["vision_last_hidden_state"]!], 1),
    );
    expectCloseNorm(tokens, expected, tolerance);
    tf.dispose([tokens, expected]);
  });

  it("gives transformers' logits by its scale and bias", () => {
    const logits = tf.tidy(() => model.logitsPerImage(model.encodeImage(pixels), model.encodeText(ids)));
    expectCloseNorm(logits, golden["logits_per_image"]!, tolerance);
    logits.dispose();
  });

  it.each([false, true])("gives PyTorch's gradients, with checkpointing %s", (checkpointing) => {
    model.enableGradientCheckpointing(checkpointing);
    const cotangent = golden["cotangent"] as tf.Tensor2D;
    const named = Array.from(model.namedParameters()).filter(([key]) => `gradient.${key}` in golden);
    expect(named.length).toBe(Object.keys(golden).filter((key) => key.startsWith("gradient.")).length - 1);
    const { value, gradients } = valueAndGradients(
      () => {
        const ofImages = tf.sum(tf.mul(model.encodeImage(pixels), cotangent));
        const ofTexts = tf.mul(model.encodeText(ids), tf.slice(cotangent, 0, 2));
        return tf.add(ofImages, tf.sum(ofTexts)) as tf.Scalar;
      },
      named.map(([, parameter]) => parameter),
    );
    for (const [index, [key]] of named.entries()) {
      // A key's bias shifts every score of a query alike: its gradient is zero, and so is not compared relatively.
      const actual = tf.tidy(() =>
        // Held HWIO in memory.
        key.endsWith("patch_embedding.weight")
          ? tf.transpose(gradients[index]!, [3, 2, 0, 1])
          : tf.clone(gradients[index]!),
      );
      expectCloseNorm(
        actual,
        golden[`gradient.${key}`]!,
        key.endsWith("k_proj.bias") ? { absolute: 1e-4 } : tolerance,
      );
      actual.dispose();
    }
    tf.dispose([value, ...gradients]);
    const ofPixels = tf.tidy(() =>
      tf.grad((x) => tf.sum(tf.mul(model.encodeImage(x as tf.Tensor4D), cotangent)))(pixels),
    );
    expectCloseNorm(ofPixels, golden["gradient.pixels"]!, tolerance);
    ofPixels.dispose();
    model.enableGradientCheckpointing(false);
  });

  it("saves an ordinary folder, of which the towers load alone and save themselves", async () => {
    const saved = await mkdtemp(join(tmpdir(), "siglip-"));
    await model.savePretrained(saved);
    expect((await readdir(saved)).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "preprocessor_config.json",
    ]);
    const vision = await SiglipVisionModel.fromPretrained(saved);
    const text = await SiglipTextModel.fromPretrained(saved);
    const towers = join(saved, "towers");
    await vision.savePretrained(join(towers, "vision"));
    await text.savePretrained(join(towers, "text"));
    const visionAgain = await SiglipVisionModel.fromPretrained(join(towers, "vision"));
    const textAgain = await SiglipTextModel.fromPretrained(join(towers, "text"));
    for (const tower of [vision, visionAgain]) {
      const image = tower.encodeImage(pixels);
      expectCloseNorm(image, golden["image_embeds"]!, tolerance);
      image.dispose();
      expect([tower.imageSize, tower.featureSize, Object.keys(tower.companionFiles)]).toEqual([
        18,
        32,
        ["preprocessor_config.json"],
      ]);
    }
    for (const tower of [text, textAgain]) {
      const feature = tower.encodeText(ids);
      expectCloseNorm(feature, golden["text_embeds"]!, tolerance);
      feature.dispose();
      expect([tower.contextLength, tower.featureSize]).toEqual([12, 32]);
    }
    for (const tower of [vision, visionAgain, text, textAgain]) tower.dispose();
    await rm(saved, { recursive: true });
  });
});

describe("SiglipModel", () => {
  const tower = {
    hidden_size: 8,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
  };
  const config = {
    text_config: { ...tower, vocab_size: 10, max_position_embeddings: 5 },
    vision_config: { ...tower, image_size: 8, patch_size: 4 },
  };
  beforeAll(() => initialize({ device: "cpu" }));

  it("starts with Glorot's bound, small perceptron biases, scale 1 and no bias", () => {
    const model = new SiglipModel({
      ...config,
      vision_config: { ...config.vision_config, hidden_size: 64, intermediate_size: 128 },
      text_config: { ...config.text_config, projection_size: 64 },
    }).initialize(new Random(1));
    const { self_attn, mlp } = model.vision_model.encoder.layers[0]!;
    const largest = (x: tf.Tensor) => Math.max(...x.dataSync().map(Math.abs));
    // sqrt(6 / (64 + 64)) and sqrt(6 / (64 + 128)).
    expect(largest(self_attn.q_proj.weight.value)).toBeLessThanOrEqual(0.21651);
    expect(largest(self_attn.q_proj.weight.value)).toBeGreaterThan(0.2155);
    expect(largest(mlp.fc1.weight.value)).toBeLessThanOrEqual(0.17678);
    expect(largest(mlp.fc1.weight.value)).toBeGreaterThan(0.1759);
    expect(largest(self_attn.q_proj.bias!.value)).toBe(0);
    expect(largest(mlp.fc1.bias!.value)).toBeGreaterThan(0);
    expect(largest(mlp.fc1.bias!.value)).toBeLessThan(1e-5);
    expect([largest(model.logit_scale.value), largest(model.logit_bias.value)]).toEqual([0, 0]);
    model.dispose();
  });

  it("offers the linear layers that adapters can attach to: not the pooling attention's, which reads past them", () => {
    const model = new SiglipModel(config).initialize(new Random(0));
    const names = Array.from(model.imageLinearLayers().keys());
    expect(names).toEqual([
      ...[
        "self_attn.q_proj",
        "self_attn.k_proj",
        "self_attn.v_proj",
        "self_attn.out_proj",
        "mlp.fc1",
        "mlp.fc2",
      ].map((name) => `vision_model.encoder.layers.0.${name}`),
      "vision_model.head.mlp.fc1",
      "vision_model.head.mlp.fc2",
    ]);
    const lora = addLoRA(model, { rank: 1, targetModules: ["out_proj"] });
    expect(Array.from(lora.layers.keys())).toEqual([
      "text_model.encoder.layers.0.self_attn.out_proj",
      "vision_model.encoder.layers.0.self_attn.out_proj",
    ]);
    lora.remove();
    model.dispose();
  });

  it("refuses what changes the result, and towers that do not meet", () => {
    expect(
      () =>
        new SiglipModel({
          ...config,
          vision_config: { ...config.vision_config, vision_use_head: false } as never,
        }),
    ).toThrow(/SiglipVisionConfig: vision_config\.vision_use_head: .*supported only at true, got false/);
    expect(
      () => new SiglipModel({ ...config, text_config: { ...config.text_config, projection_size: 9 } }),
    ).toThrow("SiglipConfig: text_config.projection_size must equal vision_config.hidden_size, got 9 and 8");
  });

  it("says what another kind of folder is", async () => {
    const clip = fileURLToPath(new URL("../../fixtures/clip-quick-gelu", import.meta.url));
    await expect(SiglipModel.fromPretrained(clip)).rejects.toThrow(
      /SiglipModel\.fromPretrained: .*must have model_type "siglip", got "clip"/,
    );
    await expect(SiglipVisionModel.fromPretrained(clip)).rejects.toThrow(
      /must have model_type "siglip_vision_model" or "siglip", got "clip"/,
    );
  });
});
