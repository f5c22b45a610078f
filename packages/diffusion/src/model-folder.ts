import {
  type ConfigOptions,
  checkPretrainedOptions,
  keysOf,
  loadWeights,
  type Module,
  type PretrainedOptions,
  readModelJson,
  resolvePretrained,
  type SavePretrainedOptions,
  saveModelFolder,
} from "@dcr-js/tensor";
import { checkOptions, describe } from "./shared/check-options.js";

/** A model's class: diffusers' name, and how the class is made of a configuration. */
export interface ModelClass<M extends Module = Module> {
  name: string;
  create: (config: Record<string, unknown>, options: ConfigOptions) => M;
  /** Today's name of a weight that older checkpoints name otherwise. */
  rename?: (name: string) => string;
}

/**
 * Makes the model of a folder that diffusers wrote, without weights: only `config.json` is read.
 *
 * @throws if the file is missing, names another class, or a key of the configuration is not supported
 */
export async function createDiffusersModel<M extends Module>(
  folder: string,
  { name, create }: ModelClass<M>,
  { caller, acceptKeys }: { caller: string; acceptKeys?: readonly string[] },
): Promise<M> {
  const file = `${folder}/config.json`;
  const config = await readModelJson(folder, "config.json", caller);
  checkClass(caller, file, config["_class_name"], [name]);
  return create(config, { file, acceptKeys });
}

/**
 * Reads a model that diffusers wrote: `config.json` and `diffusion_pytorch_model.safetensors`, whole or in shards.
 *
 * @param source the model's folder, or the id of a repository on the hub; there `subfolder` says which part
 * @throws if a file or a weight is missing, the folder holds another class, or a key of the configuration is not supported
 */
export async function loadDiffusersModel<M extends Module>(
  source: string,
  form: ModelClass<M>,
  options: PretrainedOptions,
): Promise<M> {
  const caller = `${form.name}.fromPretrained`;
  const { acceptKeys, ...how } = checkPretrainedOptions(caller, options);
  const folder = await resolvePretrained(caller, source, options);
  const { rename = (weight) => weight } = form;
  const model = await createDiffusersModel(folder, form, { caller, acceptKeys });
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
  const expected = accepted.length > 1 ? `one of ${accepted.join(", ")}` : `"${accepted[0]}"`;
  throw new Error(`${caller}: ${file} must have _class_name ${expected}, got ${describe(written)}`);
}
