import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Module, readSafetensors, writeSafetensors } from "@dcr-js/tensor";
import { expectCloseNorm } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CLIPImageProcessor } from "./clip/clip-image-processor.js";
import { CLIPModel } from "./clip/clip-model.js";
import { CLIPTextModel } from "./clip/clip-text-model.js";
import { CLIPTextModelWithProjection } from "./clip/clip-text-model-with-projection.js";
import { CLIPTokenizer } from "./clip/clip-tokenizer.js";
import { CLIPVisionModel } from "./clip/clip-vision-model.js";
import { CLIPVisionModelWithProjection } from "./clip/clip-vision-model-with-projection.js";
import { SiglipImageProcessor } from "./siglip/siglip-image-processor.js";
import { SiglipModel } from "./siglip/siglip-model.js";
import { SiglipTextModel } from "./siglip/siglip-text-model.js";
import { SiglipTokenizer } from "./siglip/siglip-tokenizer.js";
import { SiglipVisionModel } from "./siglip/siglip-vision-model.js";

const fixtures = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
let root: string;
beforeAll(async () => {
  await initialize({ device: "cpu" });
  root = await mkdtemp(join(tmpdir(), "from-pretrained-"));
});
afterAll(() => rm(root, { recursive: true }));

interface Loadable {
  fromPretrained(folder: string, options?: object): Promise<object>;
}
const dispose = (loaded: object) => {
  if (loaded instanceof Module) loaded.dispose();
};

/** Each class, a folder that it reads, and the file in it that its settings come from. */
const classes: [string, Loadable, string, string][] = [
  ["CLIPModel", CLIPModel, "clip-quick-gelu", "config.json"],
  ["CLIPTextModel", CLIPTextModel, "clip-quick-gelu", "config.json"],
  ["CLIPTextModelWithProjection", CLIPTextModelWithProjection, "clip-quick-gelu", "config.json"],
  ["CLIPVisionModel", CLIPVisionModel, "clip-quick-gelu", "config.json"],
  ["CLIPVisionModelWithProjection", CLIPVisionModelWithProjection, "clip-quick-gelu", "config.json"],
  ["CLIPImageProcessor", CLIPImageProcessor, "clip-quick-gelu", "preprocessor_config.json"],
  ["CLIPTokenizer", CLIPTokenizer, "clip-tokenizer", "tokenizer_config.json"],
  ["SiglipModel", SiglipModel, "siglip", "config.json"],
  ["SiglipTextModel", SiglipTextModel, "siglip", "config.json"],
  ["SiglipVisionModel", SiglipVisionModel, "siglip", "config.json"],
  ["SiglipImageProcessor", SiglipImageProcessor, "siglip", "preprocessor_config.json"],
  ["SiglipTokenizer", SiglipTokenizer, "siglip-tokenizer", "tokenizer_config.json"],
];

describe.each(classes)("%s.fromPretrained", (name, Class, folder, settings) => {
  const before = () => tf.memory().numTensors;

  it("refuses an unknown option and a folder that is none, by its name", async () => {
    await expect(Class.fromPretrained(fixtures(folder), { dtypes: 1 })).rejects.toThrow(
      new RegExp(`^${name}\\.fromPretrained: unknown option "dtypes"`),
    );
    await expect(Class.fromPretrained(join(root, "none"))).rejects.toThrow(
      new RegExp(`^${name}\\.fromPretrained: `),
    );
  });

  it("refuses an unknown key of its settings, unless it is accepted by name", async () => {
    const tensors = before();
    const changed = join(root, `${name}-key`);
    await cp(fixtures(folder), changed, { recursive: true });
    const file = join(changed, settings);
    const config = JSON.parse(await readFile(file, "utf8").catch(() => "{}"));
    await writeFile(file, JSON.stringify({ ...config, nobody_knows: 3 }));
    await expect(Class.fromPretrained(changed)).rejects.toThrow("nobody_knows");
    await expect(Class.fromPretrained(changed, { acceptKeys: ["another"] })).rejects.toThrow("nobody_knows");
    const loaded = await Class.fromPretrained(changed, { acceptKeys: ["nobody_knows"] });
    dispose(loaded);
    expect(before()).toBe(tensors);
  });
});

describe.each(classes.filter(([name]) => name.includes("Model")))("%s", (name, Class, folder) => {
  it("refuses an unknown key of its settings where it is made of them, unless it is accepted by name", async () => {
    const Made = Class as unknown as new (config: object, options?: object) => Module;
    const config = JSON.parse(await readFile(join(fixtures(folder), "config.json"), "utf8"));
    const part = name.includes("Text")
      ? "text_config"
      : name.includes("Vision")
        ? "vision_config"
        : undefined;
    const own = { ...(part ? config[part] : config), nobody_knows: 3 };
    expect(() => new Made(own)).toThrow("nobody_knows");
    expect(() => new Made(own, { acceptKeys: ["nobody_knows"] })).not.toThrow();
    expect(() => new Made(own, { acceptKey: ["nobody_knows"] })).toThrow('unknown option "acceptKey"');
  });

  it("refuses a folder of another kind, and a weight that nobody has", async () => {
    const kind = join(root, `${name}-kind`);
    await cp(fixtures(folder), kind, { recursive: true });
    const config = JSON.parse(await readFile(join(kind, "config.json"), "utf8"));
    await writeFile(join(kind, "config.json"), JSON.stringify({ ...config, model_type: "bert" }));
    await expect(Class.fromPretrained(kind)).rejects.toThrow("model_type");

    const weights = join(root, `${name}-weight`);
    await cp(fixtures(folder), weights, { recursive: true });
    const file = join(weights, "model.safetensors");
    const dict = await readSafetensors(file);
    const more = tf.zeros([1]);
    // Buffers of older checkpoints are left alone; a weight outside every class is not.
    await writeSafetensors(file, { ...dict, "text_model.embeddings.position_ids": more });
    const loaded = await Class.fromPretrained(weights);
    dispose(loaded);
    await writeSafetensors(file, { ...dict, stray: more });
    await expect(Class.fromPretrained(weights)).rejects.toThrow("stray");
    // A sibling's part has its name in front, and whole; so has a buffer at the end.
    for (const stray of ["stray.text_model.weight", "logit_scale_2", "my_logit_bias", "position_ids_2"]) {
      await writeSafetensors(file, { ...dict, [stray]: more });
      await expect(Class.fromPretrained(weights)).rejects.toThrow(stray);
    }
    tf.dispose([dict, more]);
  });
});

it("each class has the sizes of its settings", async () => {
  const clip = JSON.parse(await readFile(join(fixtures("clip-quick-gelu"), "config.json"), "utf8"));
  const siglip = JSON.parse(await readFile(join(fixtures("siglip"), "config.json"), "utf8"));
  const models = {
    clip: await CLIPModel.fromPretrained(fixtures("clip-quick-gelu")),
    clipText: await CLIPTextModelWithProjection.fromPretrained(fixtures("clip-quick-gelu")),
    clipVision: await CLIPVisionModelWithProjection.fromPretrained(fixtures("clip-quick-gelu")),
    siglip: await SiglipModel.fromPretrained(fixtures("siglip")),
    siglipText: await SiglipTextModel.fromPretrained(fixtures("siglip")),
    siglipVision: await SiglipVisionModel.fromPretrained(fixtures("siglip")),
  };
  const ofText = ({ text_config: text }: typeof clip) => ({
    vocabSize: text.vocab_size,
    contextLength: text.max_position_embeddings,
  });
  const ofImage = ({ vision_config: vision }: typeof clip) => ({ imageSize: vision.image_size });
  expect(models.clip).toMatchObject({ featureSize: clip.projection_dim, ...ofText(clip), ...ofImage(clip) });
  expect(models.clipText).toMatchObject({ featureSize: clip.projection_dim, ...ofText(clip) });
  expect(models.clipVision).toMatchObject({ featureSize: clip.projection_dim, ...ofImage(clip) });
  const width = siglip.vision_config.hidden_size;
  expect(models.siglip).toMatchObject({ featureSize: width, ...ofText(siglip), ...ofImage(siglip) });
  expect(models.siglipText).toMatchObject({ featureSize: width, ...ofText(siglip) });
  expect(models.siglipVision).toMatchObject({ featureSize: width, ...ofImage(siglip) });
  for (const model of Object.values(models)) model.dispose();
});

it("leaves no weights behind where a file beside them cannot be read", async () => {
  const folder = join(root, "companion");
  await cp(fixtures("clip-quick-gelu"), folder, { recursive: true });
  await mkdir(join(folder, "processor_config.json"));
  const before = tf.memory().numTensors;
  await expect(CLIPModel.fromPretrained(folder)).rejects.toThrow("processor_config.json");
  expect(tf.memory().numTensors).toBe(before);
});

it("leaves no file of another model behind where it is saved over one", async () => {
  const folder = join(root, "stale");
  await mkdir(folder);
  for (const name of ["config.json", "processor_config.json", "tokenizer.json", "merges.txt", "notes.txt"])
    await writeFile(join(folder, name), "{}");
  const model = await CLIPModel.fromPretrained(fixtures("clip-quick-gelu"));
  await model.savePretrained(folder);
  model.dispose();
  expect((await readdir(folder)).sort()).toEqual([
    "config.json",
    "model.safetensors",
    "notes.txt",
    "preprocessor_config.json",
  ]);
});

// float16 ends at 65504.
it("keeps the former folder where a weight would not be finite", async () => {
  const folder = join(root, "finite");
  const model = await CLIPModel.fromPretrained(fixtures("clip-quick-gelu"));
  await model.savePretrained(folder, { dtype: "F16" });
  const { weight } = model.visual_projection;
  const large = tf.fill(weight.shape, 1e6);
  weight.assign(large);
  await expect(model.savePretrained(folder, { dtype: "F16" })).rejects.toThrow(
    'tensor "visual_projection.weight": has the value 1000000, which is too large for F16',
  );
  large.dispose();
  model.dispose();
  (await CLIPModel.fromPretrained(folder)).dispose();
});

// Dropout is inactive in evaluation, in which transformers computed the golden values; no class of it reads "dropout".
it.each([
  ["clip-quick-gelu", CLIPModel],
  ["siglip", SiglipModel],
] as const)("computes %s with dropouts in its settings, and refuses to train it", async (name, Class) => {
  const folder = join(root, `dropout-${name}`);
  await cp(fixtures(name), folder, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
  for (const section of [config.text_config, config.vision_config])
    Object.assign(section, { attention_dropout: 0.1, dropout: 0.1 });
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  const golden = await readSafetensors(join(fixtures(name), "golden.safetensors"));
  const model = await Class.fromPretrained(folder);
  const features = model.encodeImage(golden["pixels"] as tf.Tensor4D);
  expectCloseNorm(features, golden["image_embeds"]!, { relative: 1e-5 });
  expect(() => model.train()).toThrow(/Encoder\.train: attention_dropout must be 0 to train, got 0\.1/);
  model.train(false);
  await model.savePretrained(folder);
  const saved = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
  expect(saved.vision_config).toMatchObject({ attention_dropout: 0.1, dropout: 0.1 });
  tf.dispose([golden, features]);
  model.dispose();
});
