import {
  type ConfigOptions,
  checkPretrainedOptions,
  keysOf,
  loadWeights,
  type Module,
  type PretrainedOptions,
  readModelJson,
  type SavePretrainedOptions,
  saveModelFolder,
} from "@dcr-js/tensor";
import { checkOptions } from "./shared/check-options.js";

/** A model's class: diffusers' name, and how the class is made of a configuration. */
export interface ModelClass<M extends Module = Module> {
  name: string;
  create: (config: Record<string, unknown>, options: ConfigOptions) => M;
  /** Today's name of a weight that older checkpoints name otherwise. */
  rename?: (name: string) => string;
}

/**
 * Reads a model that diffusers wrote: `config.json` and `diffusion_pytorch_model.safetensors`, whole or in shards.
 *
 * @throws if a file or a weight is missing, the folder holds another class, or a key of the configuration is not supported
 */
export async function loadDiffusersModel<M extends Module>(
  folder: string,
  { name, create, rename = (weight) => weight }: ModelClass<M>,
  options: PretrainedOptions,
): Promise<M> {
  const what = `${name}.fromPretrained`;
  const { acceptKeys, ...how } = checkPretrainedOptions(what, options);
  const config = await readModelJson(folder, "config.json", what);
  checkClass(what, `${folder}/config.json`, config["_class_name"], [name]);
  const model = create(config, { file: `${folder}/config.json`, acceptKeys });
  return loadWeights(model, folder, {
    ...how,
    baseName: "diffusion_pytorch_model",
    names: (inFile) => new Map(inFile.map((weight) => [weight, rename(weight)])),
  });
}

/**
 * Writes the folder that `loadDiffusersModel`, and diffusers, read: all files or none.
 *
 * @throws while LoRA adapters are in place, or where a part of the model is missing; nothing is written then
 */
export async function saveDiffusersModel<M extends Module & { config: Record<string, unknown> }>(
  model: M,
  folder: string,
  { name, create, options }: ModelClass<M> & { options: SavePretrainedOptions | undefined },
): Promise<void> {
  const { dtype } = checkOptions<SavePretrainedOptions>(`${name}.savePretrained`, options, { dtype: true });
  await saveModelFolder(model, folder, {
    dtype,
    baseName: "diffusion_pytorch_model",
    config: { _class_name: name, ...model.config },
    like: create(model.config, { acceptKeys: keysOf(model.config) }),
  });
}

/** Checks the class that a configuration names; configurations written by hand may name none. */
export function checkClass(
  caller: string,
  file: string,
  written: unknown,
  accepted: readonly string[],
): void {
  if (written === undefined || accepted.includes(written as string)) return;
  throw new Error(
    `${caller}: ${file} must have _class_name ${accepted.map((one) => JSON.stringify(one)).join(" or ")}, got ${JSON.stringify(written)}`,
  );
}
