// Writes the folder of every class of @dcr-js/encoders with its features, for read_encoders.py. Each model is one of the fixtures'
// with adapters merged in. Beside each it writes adapters of that folder, and the features with them. Run: node tools/reference/write_encoders.mjs FOLDER (after npm run build)
import { fileURLToPath } from "node:url";
import {
  addLoRA,
  CLIPModel,
  CLIPTextModel,
  CLIPTextModelWithProjection,
  CLIPVisionModel,
  CLIPVisionModelWithProjection,
  SiglipModel,
  SiglipTextModel,
  SiglipVisionModel,
  saveAdapter,
} from "@dcr-js/encoders";
import { initialize, Random, readSafetensors, writeSafetensors } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

const [folder] = process.argv.slice(2);
if (!folder) throw new Error("write_encoders: name a folder to write to");
const fixture = (name) => fileURLToPath(new URL(`../../packages/encoders/fixtures/${name}`, import.meta.url));
const classes = {
  "clip-quick-gelu": {
    CLIPModel,
    CLIPVisionModelWithProjection,
    CLIPVisionModel,
    CLIPTextModelWithProjection,
    CLIPTextModel,
  },
  siglip: { SiglipModel, SiglipVisionModel, SiglipTextModel },
};

/** Writes what a model computes of a golden file's pixels and ids. */
async function writeFeatures(model, golden, path) {
  const features = {};
  if (model.encodeImage) {
    features.pixels = golden.pixels;
    features.image = model.encodeImage(golden.pixels);
  }
  if (model.encodeText) {
    features.ids = golden.input_ids;
    features.text = model.encodeText(golden.input_ids);
  }
  await writeSafetensors(path, features);
}

await initialize({ device: "cpu" });
for (const [name, architectures] of Object.entries(classes)) {
  const golden = await readSafetensors(`${fixture(name)}/golden.safetensors`);
  for (const [architecture, Class] of Object.entries(architectures)) {
    const model = await Class.fromPretrained(fixture(name));
    const lora = addLoRA(model, { rank: 2, targetModules: ["fc1"] });
    for (const { lora_B } of lora.layers.values()) lora_B.weight.assign(tf.fill(lora_B.weight.shape, 0.1));
    lora.merge();
    await model.savePretrained(`${folder}/${architecture}`);
    await writeFeatures(model, golden, `${folder}/${architecture}.safetensors`);

    const own = await Class.fromPretrained(`${folder}/${architecture}`);
    const adapters = addLoRA(own, {
      rank: 2,
      bias: "lora_only",
      rankPattern: { fc1: 3 },
      alphaPattern: { fc2: 5 },
    });
    const random = new Random(3);
    for (const [index, parameter] of adapters.parameters().entries())
      parameter.assign(tf.mul(random.fork(`${index}`).normal(parameter.shape), 0.1));
    await saveAdapter(adapters, `${folder}/${architecture}-adapter`);
    await writeFeatures(own, golden, `${folder}/${architecture}-adapter.safetensors`);
  }
}
