import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Random, readSafetensors, type StateDict, valueAndGradients } from "@dcr-js/tensor";
import { expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { addLoRA } from "../lora/lora.js";
import { CLIPModel } from "./clip-model.js";
import { CLIPTextModel } from "./clip-text-model.js";
import { CLIPTextModelWithProjection } from "./clip-text-model-with-projection.js";
import { CLIPVisionModel } from "./clip-vision-model.js";
import { CLIPVisionModelWithProjection } from "./clip-vision-model-with-projection.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
/** float32 against float64 through two layers. */
const tolerance = { relative: 1e-5 };

let tensors = 0;
beforeEach(() => {
  tensors = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

// The second is in shards.
describe.each([
  ["clip-quick-gelu", "cpu"],
  ["clip-gelu", "cpu"],
  ["clip-quick-gelu", "wasm"],
] as const)("CLIPModel %s on %s", (name, device) => {
  let golden: StateDict;
  let model: CLIPModel;
  let pixels: tf.Tensor4D;
  let ids: tf.Tensor2D;
  beforeAll(async () => {
    await initialize({ device });
    golden = await readSafetensors(join(fixture(name), "golden.safetensors"));
    model = await CLIPModel.fromPretrained(fixture(name));
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
    const tokens = model.tokens(pixels);
    const vision = model.vision_model.forward(pixels);
    expectCloseNorm(image, golden["image_embeds"]!, tolerance);
    expectCloseNorm(text, golden["text_embeds"]!, tolerance);
    expectCloseNorm(tokens, golden["image_tokens"]!, tolerance);
    expectCloseNorm(vision.lastHiddenState, golden["vision_last_hidden_state"]!, tolerance);
    expectCloseNorm(vision.pooled, golden["vision_pooled"]!, tolerance);
    tf.dispose([image, text, tokens, vision.lastHiddenState, vision.pooled]);
  });

  it("gives transformers' logits by its temperature", () => {
    const logits = tf.tidy(() => model.logitsPerImage(model.encodeImage(pixels), model.encodeText(ids)));
    expectCloseNorm(logits, golden["logits_per_image"]!, tolerance);
    logits.dispose();
  });

  it.each([false, true])(
    "gives PyTorch's gradients of weights and pixels, with checkpointing %s",
    (checkpointing) => {
      model.enableGradientCheckpointing(checkpointing);
      const cotangent = golden["cotangent"]!;
      const named = Array.from(model.namedParameters()).filter(([key]) => `gradient.${key}` in golden);
      expect(named.length).toBe(Object.keys(golden).filter((key) => key.startsWith("gradient.")).length - 1);
      const { value, gradients } = valueAndGradients(
        () => {
          const sum = tf.add(model.encodeImage(pixels), model.encodeText(ids));
          return tf.sum(tf.mul(sum, cotangent)) as tf.Scalar;
        },
        named.map(([, parameter]) => parameter),
      );
      for (const [index, [key]] of named.entries()) {
        // A key's bias shifts every score of a query alike: its gradient is zero, and so is not compared relatively.
        const expected = golden[`gradient.${key}`]!;
        const actual = tf.tidy(() =>
          // Held HWIO in memory.
          key.endsWith("patch_embedding.weight")
            ? tf.transpose(gradients[index]!, [3, 2, 0, 1])
            : tf.clone(gradients[index]!),
        );
        expectCloseNorm(actual, expected, key.endsWith("k_proj.bias") ? { absolute: 1e-4 } : tolerance);
        actual.dispose();
      }
      tf.dispose([value, ...gradients]);
      const ofPixels = tf.tidy(() =>
        tf.grad((x) => tf.sum(tf.mul(model.encodeImage(x as tf.Tensor4D), cotangent)))(pixels),
      );
      expectCloseNorm(ofPixels, golden["gradient.pixels"]!, tolerance);
      ofPixels.dispose();
      model.enableGradientCheckpointing(false);
    },
  );

  it("saves an ordinary folder that loads back with equal weights and files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "clip-model-"));
    await model.savePretrained(folder);
    expect((await readdir(folder)).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "preprocessor_config.json",
    ]);
    expect(await readFile(join(folder, "preprocessor_config.json"))).toEqual(
      await readFile(join(fixture(name), "preprocessor_config.json")),
    );
    const again = await CLIPModel.fromPretrained(folder);
    expect(again.config).toEqual({ ...model.config, architectures: ["CLIPModel"], model_type: "clip" });
    const [before, after] = [model.stateDict(), again.stateDict()];
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const [key, value] of Object.entries(before))
      expect(after[key]!.dataSync()).toEqual(value.dataSync());
    tf.dispose([before, after]);
    again.dispose();
    await rm(folder, { recursive: true });
  });

  it("gives its vision tower to CLIPVisionModel, which saves and loads", async () => {
    const vision = await CLIPVisionModel.fromPretrained(fixture(name));
    const folder = await mkdtemp(join(tmpdir(), "clip-vision-"));
    await vision.savePretrained(folder);
    const again = await CLIPVisionModel.fromPretrained(folder);
    for (const tower of [vision, again]) {
      const { lastHiddenState, pooled } = tower.forward(pixels);
      expectCloseNorm(pooled, golden["vision_pooled"]!, tolerance);
      tf.dispose([lastHiddenState, pooled]);
      tower.dispose();
    }
    await rm(folder, { recursive: true });
  });
});

describe("CLIP's towers", () => {
  const towers = fixture("clip-towers");
  const classes = {
    CLIPVisionModel: [CLIPVisionModel, "vision_pooled"],
    CLIPVisionModelWithProjection: [CLIPVisionModelWithProjection, "image_embeds"],
    CLIPTextModel: [CLIPTextModel, "text_pooled"],
    CLIPTextModelWithProjection: [CLIPTextModelWithProjection, "text_embeds"],
  } as const;
  let golden: StateDict;
  beforeAll(async () => {
    await initialize({ device: "cpu" });
    golden = await readSafetensors(join(fixture("clip-quick-gelu"), "golden.safetensors"));
  });
  afterAll(() => tf.dispose(golden));

  // transformers wrote the folder of each class but CLIPTextModel, whose own fixtures are in its test.
  it.each(
    Object.keys(classes).flatMap((name) => [
      [name as keyof typeof classes, fixture("clip-quick-gelu")] as const,
      ...(name === "CLIPTextModel" ? [] : [[name as keyof typeof classes, join(towers, name)] as const]),
    ]),
  )("%s loads from %s, saves, and loads again", async (name, folder) => {
    const [type, key] = classes[name];
    const model = await type.fromPretrained(folder);
    const saved = await mkdtemp(join(tmpdir(), "clip-tower-"));
    await model.savePretrained(saved);
    const config = JSON.parse(await readFile(join(saved, "config.json"), "utf8"));
    expect([config.architectures, config.model_type]).toEqual([
      [name],
      name.includes("Vision") ? "clip_vision_model" : "clip_text_model",
    ]);
    const again = await type.fromPretrained(saved);
    expect(again.config).toMatchObject(model.config);
    for (const encoder of [model, again]) {
      const feature =
        "encodeImage" in encoder
          ? encoder.encodeImage(golden["pixels"] as tf.Tensor4D)
          : encoder.encodeText(golden["input_ids"] as tf.Tensor2D);
      expect(feature.shape[1]).toBe(encoder.featureSize);
      if (key in golden) expectCloseNorm(feature, golden[key]!, tolerance);
      feature.dispose();
      encoder.dispose();
    }
    await rm(saved, { recursive: true });
  });

  it("give the class token first among their tokens", async () => {
    const model = await CLIPVisionModelWithProjection.fromPretrained(fixture("clip-quick-gelu"));
    const tokens = model.tokens(golden["pixels"] as tf.Tensor4D);
    expectCloseNorm(tokens, golden["image_tokens"]!, tolerance);
    tokens.dispose();
    expect(Array.from(model.imageLinearLayers().keys()).at(-1)).toBe("visual_projection");
    expect(model.imageLinearLayers().size).toBe(2 * 6 + 1);
    model.dispose();
  });

  it("load from a tower's folder with a projection where they have none, not the other way", async () => {
    const model = await CLIPVisionModel.fromPretrained(join(towers, "CLIPVisionModelWithProjection"));
    const pooled = model.encodeImage(golden["pixels"] as tf.Tensor4D);
    expectCloseNorm(pooled, golden["vision_pooled"]!, tolerance);
    pooled.dispose();
    model.dispose();
    await expect(
      CLIPVisionModelWithProjection.fromPretrained(join(towers, "CLIPVisionModel")),
    ).rejects.toThrow(/weight "visual_projection\.weight" is missing/);
    await expect(CLIPModel.fromPretrained(join(towers, "CLIPVisionModel"))).rejects.toThrow(
      /CLIPModel\.fromPretrained: .*must have model_type "clip", got "clip_vision_model"/,
    );
    await expect(CLIPTextModel.fromPretrained(join(towers, "CLIPVisionModel"))).rejects.toThrow(
      /must have model_type "clip_text_model" or "clip", got "clip_vision_model"/,
    );
  });

  it("refuse to save while adapters are in place, and unknown options", async () => {
    const saved = await mkdtemp(join(tmpdir(), "clip-tower-"));
    for (const [type] of Object.values(classes)) {
      const model = await type.fromPretrained(fixture("clip-quick-gelu"));
      const lora = addLoRA(model, { rank: 1 });
      await expect(model.savePretrained(saved)).rejects.toThrow(
        /savePretrained: merge or remove the adapters first; one is in place at ".*q_proj"/,
      );
      lora.remove();
      await expect(model.savePretrained(saved, { type: "F16" } as never)).rejects.toThrow(
        /unknown option "type"/,
      );
      await expect(model.savePretrained(saved, { dtype: "F64" } as never)).rejects.toThrow(
        /dtype must be one of F32, F16, BF16, got "F64"/,
      );
      model.dispose();
    }
    expect(await readdir(saved)).toEqual([]);
    await expect(
      CLIPVisionModel.fromPretrained(fixture("clip-quick-gelu"), { dtype: "F16" } as never),
    ).rejects.toThrow(/CLIPVisionModel\.fromPretrained: unknown option "dtype"/);
    await rm(saved, { recursive: true });
  });
});

describe("CLIPModel", () => {
  const text = {
    vocab_size: 10,
    hidden_size: 4,
    num_attention_heads: 2,
    num_hidden_layers: 1,
    intermediate_size: 4,
  };
  const vision = {
    image_size: 10,
    patch_size: 4,
    hidden_size: 8,
    num_attention_heads: 2,
    num_hidden_layers: 1,
    intermediate_size: 8,
  };

  beforeAll(() => initialize({ device: "cpu" }));

  it("starts with the temperature of its settings, and ignores pixels beyond the last whole patch", () => {
    const model = new CLIPModel({ text_config: text, vision_config: vision, projection_dim: 6 });
    model.initialize(new Random(3));
    expect(model.logit_scale.value.dataSync()[0]).toBeCloseTo(2.6592, 6);
    const [first, second] = tf.tidy(() => {
      const pixels = new Random(1).normal([1, 10, 10, 3]) as tf.Tensor4D;
      const cut = tf.pad(tf.slice(pixels, 0, [1, 8, 8, 3]), [
        [0, 0],
        [0, 2],
        [0, 2],
        [0, 0],
      ]) as tf.Tensor4D;
      return [model.encodeImage(pixels).dataSync(), model.encodeImage(cut).dataSync()];
    });
    expect(first.length).toBe(6);
    expect(second).toEqual(first);
    model.dispose();
  });

  it("reads the older text_config_dict and vision_config_dict", () => {
    const model = new CLIPModel({
      text_config_dict: text,
      vision_config_dict: vision,
      // transformers' CLIPConfig overwrites these with the dict's values and its defaults.
      vision_config: { hidden_act: "gelu", hidden_size: 16 },
    });
    expect(model.config.text_config.hidden_size).toBe(4);
    expect(model.config.vision_config).toMatchObject({ hidden_size: 8, hidden_act: "quick_gelu" });
    expect(model.config).not.toHaveProperty("text_config_dict");
    expect(model.config.projection_dim).toBe(512);
  });

  it("names wrong folders, settings and inputs", async () => {
    await expect(CLIPModel.fromPretrained(join(tmpdir(), "no-such-model"))).rejects.toThrow(
      /CLIPModel\.fromPretrained: ".*no-such-model" is no folder/,
    );
    const folder = await mkdtemp(join(tmpdir(), "clip-model-"));
    await writeFile(join(folder, "config.json"), '{"model_type": "vit"}');
    await expect(CLIPModel.fromPretrained(folder)).rejects.toThrow(/must have model_type "clip", got "vit"/);
    await copyFile(join(fixture("clip-quick-gelu"), "config.json"), join(folder, "config.json"));
    await expect(CLIPModel.fromPretrained(folder)).rejects.toThrow(/model\.safetensors/);
    await rm(folder, { recursive: true });
    const act = { ...vision, hidden_act: "swish" as "gelu" };
    expect(() => new CLIPModel({ text_config: text, vision_config: act })).toThrow(
      /CLIPVisionConfig: vision_config\.hidden_act: .*got "swish"/,
    );
    const model = new CLIPModel({ text_config: text, vision_config: vision }).initialize(new Random(0));
    expect(() => tf.tidy(() => model.encodeImage(tf.zeros([2, 3, 10, 10])))).toThrow(
      /pixels must be \[batch, 10, 10, 3\] \(normalised, channels last\), got \[2,3,10,10\]/,
    );
    const lora = addLoRA(model, { rank: 2 });
    await expect(model.savePretrained(folder)).rejects.toThrow(
      /merge or remove the adapters first; one is in place at ".*q_proj"/,
    );
    lora.remove();
    model.dispose();
  });
});
