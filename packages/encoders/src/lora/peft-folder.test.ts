import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Random, readSafetensors, type StateDict, writeSafetensors } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CLIPModel } from "../clip/clip-model.js";
import { addLoRA } from "./lora.js";
import type { LoRALinear } from "./lora-linear.js";
import { loadAdapter, saveAdapter } from "./peft-folder.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const json = async (path: string) => JSON.parse(await readFile(path, "utf8"));

let golden: StateDict;
let model: CLIPModel;
let tensors = 0;
let folder = "";
beforeAll(async () => {
  await initialize({ device: "cpu" });
  golden = await readSafetensors(fixture("lora/peft.safetensors"));
});
afterAll(() => tf.dispose(golden));
beforeEach(async () => {
  tensors = tf.memory().numTensors;
  model = await CLIPModel.fromPretrained(fixture("clip-quick-gelu"));
  folder = await mkdtemp(join(tmpdir(), "adapter-"));
});
afterEach(async () => {
  model.dispose();
  expect(tf.memory().numTensors).toBe(tensors);
  await rm(folder, { recursive: true });
});

/** A copy of peft's folder with other settings. */
async function changed(settings: Record<string, unknown>): Promise<string> {
  const config = await json(fixture("lora/peft/adapter_config.json"));
  await writeFile(join(folder, "adapter_config.json"), JSON.stringify({ ...config, ...settings }));
  await copyFile(fixture("lora/peft/adapter_model.safetensors"), join(folder, "adapter_model.safetensors"));
  return folder;
}

describe("loadAdapter", () => {
  it("reads what peft wrote, and gives its features", async () => {
    const lora = await loadAdapter(model, fixture("lora/peft"));
    expect(lora.options).toMatchObject({
      rank: 3,
      alpha: 6,
      dropout: 0.1,
      useRslora: true,
      bias: "lora_only",
    });
    const image = model.encodeImage(golden["pixels"] as tf.Tensor4D);
    expectCloseNorm(image, golden["image_embeds"]!, { relative: 1e-5 });
    lora.merge();
    const merged = model.encodeImage(golden["pixels"] as tf.Tensor4D);
    expectCloseNorm(merged, golden["image_embeds"]!, { relative: 1e-5 });
    tf.dispose([image, merged]);
  });

  it("takes the bias names of older versions", async () => {
    await changed({});
    const weights = await readSafetensors(join(folder, "adapter_model.safetensors"));
    const renamed = Object.fromEntries(
      Object.entries(weights).map(([name, weight]) => [name.replace(".base_layer.bias", ".bias"), weight]),
    );
    await writeSafetensors(join(folder, "adapter_model.safetensors"), renamed);
    tf.dispose(weights);
    const lora = await loadAdapter(model, folder);
    const image = model.encodeImage(golden["pixels"] as tf.Tensor4D);
    expectCloseNorm(image, golden["image_embeds"]!, { relative: 1e-5 });
    image.dispose();
    lora.remove();
  });

  it.each([
    [{ peft_type: "LOHA" }, /adapter_config\.json: peft_type: .*"LORA", got "LOHA"/],
    [{ use_dora: true }, /use_dora: changes the result and is supported only at false, got true/],
    [
      { modules_to_save: ["visual_projection"] },
      /modules_to_save: changes the result .*got \["visual_projection"\]/,
    ],
    [{ init_lora_weights: "pissa" }, /init_lora_weights: .*got "pissa"/],
    [{ colour: "blue" }, /colour: unknown key, got "blue"/],
    [{ rank_pattern: {} }, /loadAdapter: .*lora_A\.weight" has shape \[2,48\], expected \[3,48\]/],
    [{ target_modules: "(?!text).*q_proj" }, /loadAdapter: .*RE2's syntax/],
    [{ target_modules: ["wq"], rank_pattern: {} }, /loadAdapter: .*match no Linear/],
    [{ bias: "none" }, /loadAdapter: .*unexpected ".*base_layer\.bias"; bias is "none"/],
  ])("refuses %j, and leaves the model as it was", async (settings, message) => {
    const names = Array.from(model.namedParameters(), ([name]) => name);
    await expect(loadAdapter(model, await changed(settings))).rejects.toThrow(message);
    expect(Array.from(model.namedParameters(), ([name]) => name)).toEqual(names);
  });

  it("takes which layers, and the alpha of some, from the settings", async () => {
    const settings = {
      ...{ target_modules: ["q_proj", "fc2"], exclude_modules: ["fc2"], rank_pattern: {}, bias: "none" },
      ...{ layers_to_transform: [1], layers_pattern: "layers", alpha_pattern: { q_proj: 9 } },
    };
    const from = addLoRA(model, {
      ...{ rank: 3, alpha: 6, useRslora: true, targetModules: ["q_proj"], excludeModules: ["fc2"] },
      ...{ layersToTransform: 1, layersPattern: "layers", alphaPattern: { q_proj: 9 } },
    });
    const weights = from.stateDict();
    const expected = Array.from(from.layers, ([path, { scaling }]) => [path, scaling]);
    from.remove();
    await changed(settings);
    await writeSafetensors(join(folder, "adapter_model.safetensors"), weights);
    tf.dispose(weights);
    const lora = await loadAdapter(model, folder);
    expect(Array.from(lora.layers, ([path, { scaling }]) => [path, scaling])).toEqual(expected);
    expect(expected).toEqual([
      ["text_model.encoder.layers.1.self_attn.q_proj", 9 / Math.sqrt(3)],
      ["vision_model.encoder.layers.1.self_attn.q_proj", 9 / Math.sqrt(3)],
    ]);
    lora.remove();
  });

  it("takes patterns that match no layer of the file for nothing, as peft does", async () => {
    const plain = await json(fixture("lora/peft/adapter_config.json"));
    const others = { nowhere: 7, "text_model.*fc9": 1 };
    const place = await changed({
      rank_pattern: { ...plain.rank_pattern, ...others },
      alpha_pattern: { ...plain.alpha_pattern, ...others },
    });
    const lora = await loadAdapter(model, place);
    const image = model.encodeImage(golden["pixels"] as tf.Tensor4D);
    expectCloseNorm(image, golden["image_embeds"]!, { relative: 1e-5 });
    image.dispose();
    lora.remove();
    await changed({ rank_pattern: { "(": 7 } });
    await expect(loadAdapter(model, place)).rejects.toThrow(/rankPattern must be a regular expression/);
  });

  // peft 0.21.2 warns of an exclusion that matches nothing, and keeps it in the file.
  it.each([["lm_head"], "lm_head", "text_model.*", ""])(
    "takes an exclusion that excludes nothing for none: %j",
    async (exclude_modules) => {
      const lora = await loadAdapter(model, await changed({ exclude_modules }));
      expect(lora.layers.size).toBe(4);
      lora.remove();
    },
  );

  it("takes the dropout, the source of masks and unknown keys from its options", async () => {
    const random = new Random(7);
    const lora = await loadAdapter(model, await changed({ colour: "blue" }), {
      ...{ dropout: 0.25, random, acceptKeys: ["colour"] },
    });
    expect([lora.options.dropout, lora.options.random]).toEqual([0.25, random]);
    lora.remove();
    const none = await loadAdapter(model, fixture("lora/peft"), { dropout: 0 });
    expect(none.options.dropout).toBe(0);
    none.remove();
  });

  it("adapts one part of the model where it is told", async () => {
    const from = addLoRA(model, { rank: 8, targetModules: ["q_proj"], within: "vision_model" });
    const paths = Array.from(from.layers.keys());
    await saveAdapter(from, folder);
    from.remove();
    const config = await json(join(folder, "adapter_config.json"));
    await writeFile(
      join(folder, "adapter_config.json"),
      JSON.stringify({ ...config, target_modules: ["q_proj"] }),
    );
    await expect(loadAdapter(model, folder)).rejects.toThrow(/text_model\..*is missing/);
    const lora = await loadAdapter(model, folder, { within: "vision_model" });
    expect(Array.from(lora.layers.keys())).toEqual(paths);
    expect(paths.every((path) => path.startsWith("vision_model."))).toBe(true);
    lora.remove();
  });

  it("has peft's defaults where adapter_config.json says nothing", async () => {
    const plain = addLoRA(model, { rank: 8, targetModules: ["q_proj"] });
    const weights = plain.stateDict();
    plain.remove();
    await writeSafetensors(join(folder, "adapter_model.safetensors"), weights);
    tf.dispose(weights);
    const config = { peft_type: "LORA", target_modules: ["q_proj"] };
    await writeFile(join(folder, "adapter_config.json"), JSON.stringify(config));
    const lora = await loadAdapter(model, folder);
    // LoraConfig's own: https://huggingface.co/docs/peft/package_reference/lora
    expect(lora.options).toMatchObject({
      ...{ rank: 8, alpha: 8, dropout: 0, useRslora: false, bias: "none" },
      ...{ rankPattern: {}, alphaPattern: {}, within: "" },
    });
    lora.remove();
    for (const empty of [[], null]) {
      const settings = {
        ...config,
        exclude_modules: empty,
        layers_to_transform: empty,
        layers_pattern: empty,
      };
      await writeFile(join(folder, "adapter_config.json"), JSON.stringify(settings));
      (await loadAdapter(model, folder)).remove();
    }
  });

  it.each<[string, unknown[], unknown[]]>([
    ["init_lora_weights", [true, false, "gaussian", "orthogonal"], ["pissa", "olora", "eva", "lora_ga"]],
    ["loftq_config", [{}, null], [{ loftq_bits: 4 }]],
    ["modules_to_save", [null, []], [["head"]]],
    ["layer_replication", [null], [[[0, 1]]]],
    ["target_parameters", [null, []], [["weight"]]],
    ["trainable_token_indices", [null], [[1]]],
    ["fan_in_fan_out", [false], [true]],
    ["lora_bias", [false], [true]],
    ["use_dora", [false], [true]],
    ["use_qalora", [false], [true]],
    ["bias", [], ["some", null]],
    ["lora_alpha", [], ["6", null]],
    ["target_modules", [], [null, undefined, 3]],
    ["peft_type", [], ["LOHA", null]],
  ])("takes %s only where it changes nothing", async (key, inside, outside) => {
    for (const value of inside) (await loadAdapter(model, await changed({ [key]: value }))).remove();
    for (const value of outside)
      await expect(loadAdapter(model, await changed({ [key]: value })), String(value)).rejects.toThrow(key);
  });

  it("takes what peft notes beside", async () => {
    const notes = ["auto_mapping", "base_model_name_or_path", "inference_mode", "megatron_core"].concat([
      "peft_version",
      "qalora_group_size",
      "revision",
      "runtime_config",
      "task_type",
    ]);
    const settings = Object.fromEntries(notes.map((key) => [key, "noted"]));
    (await loadAdapter(model, await changed(settings))).remove();
  });

  it("names missing files and unknown options", async () => {
    await expect(loadAdapter(model, folder)).rejects.toThrow(/adapter_config\.json does not exist/);
    await changed({});
    await rm(join(folder, "adapter_model.safetensors"));
    await expect(loadAdapter(model, folder)).rejects.toThrow(/has neither adapter_model\.safetensors/);
    await expect(loadAdapter(model, folder, { rank: 3 } as never)).rejects.toThrow(/unknown option "rank"/);
  });
});

describe("saveAdapter", () => {
  // tools/reference/lora.py has peft read the same folder.
  it("writes the folder that peft reads to the same features", async () => {
    const lora = await loadAdapter(model, fixture("lora/peft"));
    await saveAdapter(lora, folder, { baseModel: "clip-quick-gelu" });
    expect((await readdir(folder)).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
    expect(await json(join(folder, "adapter_config.json"))).toEqual(
      await json(fixture("lora/saved/adapter_config.json")),
    );
    const [written, read] = [
      await readSafetensors(join(folder, "adapter_model.safetensors")),
      await readSafetensors(fixture("lora/saved/adapter_model.safetensors")),
    ];
    expect(Object.keys(written).sort()).toEqual(Object.keys(read).sort());
    for (const [name, weight] of Object.entries(written)) expectClose(weight, read[name]!);
    lora.remove();
    const again = await loadAdapter(model, folder);
    const image = model.encodeImage(golden["pixels"] as tf.Tensor4D);
    expectCloseNorm(image, golden["image_embeds"]!, { relative: 1e-5 });
    again.remove();
    tf.dispose([written, read, image]);
  });

  it("names the base model and its revision where they are given", async () => {
    const lora = addLoRA(model, { targetModules: ["q_proj"] });
    await saveAdapter(lora, folder);
    const plain = await json(join(folder, "adapter_config.json"));
    expect(plain.base_model_name_or_path).toBe(null);
    expect(plain).not.toHaveProperty("revision");
    await saveAdapter(lora, folder, { baseModel: "someone/clip", revision: "v2" });
    expect(await json(join(folder, "adapter_config.json"))).toEqual({
      ...plain,
      ...{ base_model_name_or_path: "someone/clip", revision: "v2" },
    });
    lora.remove();
  });

  it.each(["", "vision_model", "vision_model.encoder.layers.0"])(
    "writes what loadAdapter reads, with all biases within %j",
    async (within) => {
      const lora = addLoRA(model, { bias: "all", within, targetModules: ["q_proj", "fc1"], rank: 2 });
      for (const parameter of lora.parameters()) {
        const next = tf.add(parameter.value, 0.25);
        parameter.assign(next);
        next.dispose();
      }
      await saveAdapter(lora, folder);
      const saved = lora.stateDict();
      lora.remove();
      const again = await loadAdapter(model, folder);
      const read = again.stateDict();
      expect(Object.keys(read).sort()).toEqual(Object.keys(saved).sort());
      for (const [name, value] of Object.entries(saved)) expectClose(read[name]!, value);
      again.remove();
      // One bias of the part is missing.
      const file = join(folder, "adapter_model.safetensors");
      const bias = Object.keys(saved).find((name) => name.endsWith("layer_norm1.bias"))!;
      const { [bias]: _, ...others } = saved;
      await writeSafetensors(file, others);
      await expect(loadAdapter(model, folder)).rejects.toThrow(`"${bias}" is missing`);
      tf.dispose([saved, read]);
    },
  );

  it("writes nothing that is not finite, and leaves the former adapters whole", async () => {
    const lora = await loadAdapter(model, fixture("lora/peft"));
    await saveAdapter(lora, folder);
    const before = await readFile(join(folder, "adapter_model.safetensors"));
    const [[path, layer]] = Array.from(lora.layers) as [[string, LoRALinear]];
    const wrong = tf.fill(layer.lora_A.weight.shape, Number.NaN);
    layer.lora_A.weight.assign(wrong);
    wrong.dispose();
    const saving = saveAdapter(lora, folder);
    await expect(saving).rejects.toThrow(/^saveAdapter: .*expected finite values, got NaN/);
    await expect(saving).rejects.toThrow(`"base_model.model.${path}.lora_A.weight"`);
    expect((await readFile(join(folder, "adapter_model.safetensors"))).equals(before)).toBe(true);
    lora.remove();
    (await loadAdapter(model, folder)).remove();
  });

  it("writes both files or neither, and removes weights in pickle form", async () => {
    const lora = addLoRA(model, { targetModules: ["q_proj"], rank: 2, alpha: 2 });
    await writeFile(join(folder, "adapter_model.bin"), "old");
    await saveAdapter(lora, folder);
    expect((await readdir(folder)).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
    const before = await readFile(join(folder, "adapter_model.safetensors"));
    lora.remove();
    await rm(join(folder, "adapter_config.json"));
    await mkdir(join(folder, "adapter_config.json"));
    const other = addLoRA(model, { targetModules: ["q_proj"], rank: 4, alpha: 64 });
    await expect(saveAdapter(other, folder)).rejects.toThrow(
      "adapter_config.json: could not be written (a folder is in its place)",
    );
    expect((await readFile(join(folder, "adapter_model.safetensors"))).equals(before)).toBe(true);
    other.remove();
    await expect(saveAdapter(other, folder)).rejects.toThrow("the adapters were merged or removed before");
  });

  it("refuses unknown options", async () => {
    const lora = await loadAdapter(model, fixture("lora/peft"));
    await expect(saveAdapter(lora, folder, { base: "x" } as never)).rejects.toThrow(/unknown option "base"/);
    await expect(saveAdapter(lora, folder, { baseModel: 3 } as never)).rejects.toThrow(
      "saveAdapter: baseModel must be a string, got 3",
    );
    await expect(saveAdapter(lora, folder, { revision: 3 } as never)).rejects.toThrow(
      "saveAdapter: revision must be a string, got 3",
    );
    await expect(saveAdapter(lora, "")).rejects.toThrow("saveAdapter: folder");
    expect(await readdir(folder)).toEqual([]);
    lora.remove();
  });
});
