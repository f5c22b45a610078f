import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  initialize,
  type Module,
  Random,
  readSafetensors,
  type StateDict,
  writeSafetensors,
} from "@dcr-js/tensor";
import { expectClose, expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CLIPModel } from "../clip/clip-model.js";
import { CLIPTextModel } from "../clip/clip-text-model.js";
import { CLIPVisionModel } from "../clip/clip-vision-model.js";
import { CLIPVisionModelWithProjection } from "../clip/clip-vision-model-with-projection.js";
import type { ImageEncoder, TextEncoder } from "../encoder.js";
import { SiglipTextModel } from "../siglip/siglip-text-model.js";
import { SiglipVisionModel } from "../siglip/siglip-vision-model.js";
import { addLoRA, type LoRA } from "./lora.js";
import { loadAdapter, saveAdapter } from "./peft-folder.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
/** tools/reference/lora.py (`towers`) wrote the adapters and features, by peft 0.21.2 with transformers 5.24.0. */
const towers = {
  CLIPVisionModel: [CLIPVisionModel, "clip-quick-gelu"],
  CLIPTextModel: [CLIPTextModel, "clip-quick-gelu"],
  SiglipVisionModel: [SiglipVisionModel, "siglip"],
  SiglipTextModel: [SiglipTextModel, "siglip"],
} as const;
type Name = keyof typeof towers;
const names = Object.keys(towers) as Name[];

let golden: StateDict;
let inputs: Record<string, StateDict>;
let folder = "";
let tensors = 0;
beforeAll(async () => {
  await initialize({ device: "cpu" });
  golden = await readSafetensors(fixture("lora/towers/golden.safetensors"));
  inputs = {
    "clip-quick-gelu": await readSafetensors(fixture("clip-quick-gelu/golden.safetensors")),
    siglip: await readSafetensors(fixture("siglip/golden.safetensors")),
  };
});
afterAll(() => tf.dispose([golden, inputs]));
beforeEach(async () => {
  tensors = tf.memory().numTensors;
  folder = await mkdtemp(join(tmpdir(), "towers-"));
});
afterEach(async () => {
  expect(tf.memory().numTensors).toBe(tensors);
  await rm(folder, { recursive: true });
});

const json = async (...path: string[]) => JSON.parse(await readFile(join(...path), "utf8"));
const adapterOf = (name: Name) => fixture(`lora/towers/${name}`);
const load = (name: Name): Promise<Module> => towers[name][0].fromPretrained(fixture(towers[name][1]));

/** A tower as it comes from a folder of its own class. */
async function loadAlone(name: Name): Promise<Module & { tower: { alone: boolean } }> {
  const [Class, whole] = towers[name];
  const from = await Class.fromPretrained(fixture(whole));
  await from.savePretrained(join(folder, "own"));
  from.dispose();
  return Class.fromPretrained(join(folder, "own"));
}

function features(name: Name, model: unknown): tf.Tensor2D {
  const input = inputs[towers[name][1]]!;
  return name.includes("Vision")
    ? (model as ImageEncoder).encodeImage(input["pixels"] as tf.Tensor4D)
    : (model as TextEncoder).encodeText(input["input_ids"] as tf.Tensor2D);
}

function expectFeatures(name: Name, model: unknown): void {
  const computed = features(name, model);
  expectCloseNorm(computed, golden[name]!, { relative: 1e-5 });
  computed.dispose();
}

function fillFactors(lora: LoRA): void {
  for (const [index, parameter] of lora.parameters().entries()) {
    const value = new Random(index).normal(parameter.shape);
    parameter.assign(value);
    value.dispose();
  }
}

describe.each(names)("adapters of a %s", (name) => {
  it("are peft's for transformers 5, also on a tower of a whole model's folder, before and after merging", async () => {
    for (const model of [await load(name), await loadAlone(name)]) {
      const lora = await loadAdapter(model, adapterOf(name));
      expectFeatures(name, model);
      lora.merge();
      expectFeatures(name, model);
      model.dispose();
    }
  });

  it("are read with transformers 4's names too", async () => {
    const prefix = name.includes("Vision") ? "vision_model." : "text_model.";
    const renamed = join(folder, "renamed");
    await cp(adapterOf(name), renamed, { recursive: true });
    const weights = await readSafetensors(join(renamed, "adapter_model.safetensors"));
    const older = Object.fromEntries(
      Object.entries(weights).map(([key, weight]) => [
        key.replace("base_model.model.", `base_model.model.${prefix}`),
        weight,
      ]),
    );
    await writeSafetensors(join(renamed, "adapter_model.safetensors"), older);
    const config = await json(renamed, "adapter_config.json");
    if (typeof config.target_modules === "string" && config.target_modules.startsWith("encoder"))
      config.target_modules = `${prefix.replace(".", "\\.")}${config.target_modules}`;
    const patterns = Object.entries(config.rank_pattern ?? {});
    config.rank_pattern = Object.fromEntries(
      patterns.map(([key, rank]) => [key.replace("^", `^${prefix}`), rank]),
    );
    await writeFile(join(renamed, "adapter_config.json"), JSON.stringify(config));
    const model = await load(name);
    await loadAdapter(model, renamed);
    expectFeatures(name, model);
    tf.dispose(weights);
    model.dispose();
  });

  // tools/reference/read_encoders.py has peft read what saveAdapter writes for each class.
  it("are written under the names of peft's own file, and read back", async () => {
    const model = await loadAlone(name);
    const lora = await loadAdapter(model, adapterOf(name));
    await saveAdapter(lora, join(folder, "adapter"));
    const [theirs, ours] = [
      await readSafetensors(join(adapterOf(name), "adapter_model.safetensors")),
      await readSafetensors(join(folder, "adapter/adapter_model.safetensors")),
    ];
    // The factors of the pooling head's output map do nothing, and its bias is written as other biases are.
    const kept = Object.entries(theirs)
      .filter(([key]) => !/head\.attention\.out_proj\.lora_/.test(key))
      .map(
        ([key, value]) =>
          [
            key.replace("head.attention.out_proj.base_layer.bias", "head.attention.out_proj.bias"),
            value,
          ] as const,
      );
    expect(Object.keys(ours).sort()).toEqual(kept.map(([key]) => key).sort());
    for (const [key, value] of kept) expectClose(ours[key]!, value);
    const { target_modules } = await json(folder, "adapter", "adapter_config.json");
    expect(target_modules).toEqual(
      Array.from(lora.layers.keys(), (path) => path.replace(/^(vision|text)_model\./, "")),
    );
    lora.remove();
    (await loadAdapter(model, join(folder, "adapter"))).merge();
    expectFeatures(name, model);
    tf.dispose([theirs, ours]);
    model.dispose();
  });

  it("are written with the whole model's names where the tower is of its folder", async () => {
    const model = await load(name);
    const lora = addLoRA(model, { rank: 2, targetModules: ["fc1"], rankPattern: { fc1: 3 } });
    await saveAdapter(lora, join(folder, "adapter"));
    const config = await json(folder, "adapter", "adapter_config.json");
    expect(config.target_modules).toEqual([...lora.layers.keys()]);
    expect(config.rank_pattern).toEqual({ fc1: 3 });
    model.dispose();
  });

  it("take a state dict under either names", async () => {
    const model = await loadAlone(name);
    const lora = addLoRA(model, { rank: 2, targetModules: ["fc1"] });
    fillFactors(lora);
    const dict = lora.stateDict();
    const prefix = name.includes("Vision") ? "vision_model." : "text_model.";
    const bare = Object.keys(dict);
    expect(bare.some((key) => key.includes(prefix))).toBe(false);
    const older = Object.fromEntries(
      bare.map((key) => [key.replace("base_model.model.", `base_model.model.${prefix}`), dict[key]!]),
    );
    lora.loadStateDict(older).loadStateDict(dict);
    tf.dispose(dict);
    model.dispose();
  });
});

it("names each layer's rank and alpha where patterns were written for other paths", async () => {
  const model = await loadAlone("CLIPVisionModel");
  const lora = addLoRA(model, {
    ...{ rank: 2, alpha: 4, targetModules: ["q_proj", "fc1"] },
    ...{ rankPattern: { "^vision_model.encoder.layers.0.mlp.fc1": 3 }, alphaPattern: { q_proj: 7 } },
  });
  const expected = lora.targets.map(({ path, rank, alpha }) => [path, rank, alpha]);
  await saveAdapter(lora, join(folder, "adapter"));
  const { rank_pattern, alpha_pattern } = await json(folder, "adapter", "adapter_config.json");
  expect(rank_pattern).toEqual({ "encoder.layers.0.mlp.fc1": 3 });
  expect(alpha_pattern).toEqual({
    "encoder.layers.0.self_attn.q_proj": 7,
    "encoder.layers.1.self_attn.q_proj": 7,
  });
  lora.remove();
  const again = await loadAdapter(model, join(folder, "adapter"));
  expect(again.targets.map(({ path, rank, alpha }) => [path, rank, alpha])).toEqual(expected);
  model.dispose();
});

it("takes of a whole model's adapters what a tower has, and what lies within a part", async () => {
  const whole = await CLIPModel.fromPretrained(fixture("clip-quick-gelu"));
  const lora = addLoRA(whole, { targetModules: "all-linear", rank: 2, alpha: 1, bias: "lora_only" });
  fillFactors(lora);
  await saveAdapter(lora, join(folder, "whole"));
  const expected = features("CLIPVisionModel", whole);
  lora.remove();
  const [Projected, Plain] = [CLIPVisionModelWithProjection, CLIPVisionModel];
  const tower = await Projected.fromPretrained(fixture("clip-quick-gelu"));
  const onTower = await loadAdapter(tower, join(folder, "whole"));
  expect(onTower.layers.size).toBe(13);
  const computed = features("CLIPVisionModel", tower);
  expectCloseNorm(computed, expected, { relative: 1e-6 });

  const plain = await Plain.fromPretrained(fixture("clip-quick-gelu"));
  expect((await loadAdapter(plain, join(folder, "whole"))).layers.size).toBe(12);

  const fresh = await CLIPModel.fromPretrained(fixture("clip-quick-gelu"));
  const part = await loadAdapter(fresh, join(folder, "whole"), { within: "vision_model" });
  expect(part.layers.size).toBe(12);
  // The part's tower computes what the tower alone does.
  const [a, b] = [fresh.vision_model, plain.vision_model].map((one) => {
    const output = one.forward(inputs["clip-quick-gelu"]!["pixels"] as tf.Tensor4D);
    output.lastHiddenState.dispose();
    return output.pooled;
  });
  expectClose(a!, b!);
  for (const model of [whole, tower, plain, fresh]) model.dispose();
  tf.dispose([expected, computed, a!, b!]);
});

it("refuses factors of the pooling head's output map that are not zero", async () => {
  const changed = join(folder, "changed");
  await cp(adapterOf("SiglipVisionModel"), changed, { recursive: true });
  const weights = await readSafetensors(join(changed, "adapter_model.safetensors"));
  const key = "base_model.model.head.attention.out_proj.lora_B.weight";
  const ones = tf.ones(weights[key]!.shape);
  await writeSafetensors(join(changed, "adapter_model.safetensors"), { ...weights, [key]: ones });
  const model = await load("SiglipVisionModel");
  await expect(loadAdapter(model, changed)).rejects.toThrow(
    `"${key}" must be 0, because PyTorch's MultiheadAttention reads the layer's weight past its adapter`,
  );
  tf.dispose([weights, ones]);
  model.dispose();
});
