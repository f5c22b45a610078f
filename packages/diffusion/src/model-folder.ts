import {
  type ConfigOptions,
  loadPretrained,
  type Module,
  type PretrainedOptions,
  readModelJson,
  readWeights,
  type StateDict,
  saveModel,
} from "@dcr-js/tensor";
import { checkChoice, checkOptions } from "./shared/check-options.js";

/** How `savePretrained` writes a model. */
export interface SaveOptions {
  /** How the weights are stored in the file. Default `"F32"`. */
  dtype?: "F32" | "F16";
}

/** A model's class: diffusers' name, and how the class is made of a configuration. */
export interface ModelClass<M extends Module> {
  name: string;
  create: (config: Record<string, unknown>, options: ConfigOptions) => M;
  /** Gives weights of older checkpoints today's names. */
  rename?: (weights: StateDict) => StateDict;
}

/**
 * Reads a model that diffusers wrote: `config.json` and `diffusion_pytorch_model.safetensors`, whole or in shards.
 *
 * @throws if a file or a weight is missing, the folder holds another class, or a key of the configuration is not supported
 */
export async function loadModelFolder<M extends Module>(
  folder: string,
  { name, create, rename = (weights) => weights }: ModelClass<M>,
  options: PretrainedOptions,
): Promise<M> {
  const what = `${name}.fromPretrained`;
  const { storage, acceptKeys } = checkOptions(what, options, { storage: true, acceptKeys: true });
  if (storage !== undefined) checkChoice(`${what}: storage`, storage, ["float32", "float16"]);
  const config = await readModelJson(folder, "config.json", what);
  const written = config["_class_name"];
  if (written !== undefined && written !== name) {
    throw new Error(
      `${what}: config.json in ${folder} must have _class_name "${name}", got ${JSON.stringify(written)}`,
    );
  }
  const model = create(config, { file: `${folder}/config.json`, acceptKeys });
  return loadPretrained(
    model,
    (how) => readWeights(folder, "diffusion_pytorch_model", how),
    { storage },
    (weights) => model.loadStateDict(rename(weights)),
  );
}

/** Writes the folder that `loadModelFolder`, and diffusers, read; each file whole or not at all. */
export async function saveModelFolder(
  folder: string,
  model: Module & { config: object },
  { name, options }: { name: string; options: SaveOptions },
): Promise<void> {
  const what = `${name}.savePretrained`;
  const { dtype } = checkOptions<SaveOptions>(what, options, { dtype: true });
  if (dtype !== undefined) checkChoice(`${what}: dtype`, dtype, ["F32", "F16"]);
  for (const [parameter] of model.namedParameters()) {
    if (parameter.includes(".lora_")) {
      throw new Error(`${what}: merge or remove the LoRA adapters first; found ${parameter}`);
    }
  }
  await saveModel(folder, model, { _class_name: name, ...model.config }, { dtype });
}
