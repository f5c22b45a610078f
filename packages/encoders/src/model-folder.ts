import {
  type ConfigOptions,
  loadPretrained,
  type Module,
  type PretrainedOptions,
  type ReadOptions,
  readModelFile,
  readModelJson,
  readModelWeights,
  type StateDict,
  writeModelFolder,
} from "@dcr-js/tensor";
import type { SaveOptions } from "./encoder.js";
import { checkChoice, checkOptions } from "./shared/check-options.js";

/** How a model class lies in a folder that transformers wrote. */
export interface ModelForm {
  /** transformers' name of the class. */
  architecture: string;
  /** Its `model_type` in config.json. */
  modelType: string;
  /** For a tower: the `model_type` of the whole model, whose folder will do as well, and its prefix in the whole's names. */
  tower?: { wholeType: string; prefix: string };
  /** Files that travel with the model. */
  companions: readonly string[];
}

export const IMAGE_FILES = ["preprocessor_config.json", "processor_config.json"] as const;
export const TEXT_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "spiece.model",
] as const;

/** Weights of a whole model or of a sibling class, which a class that has no such part leaves in the file. */
const SIBLINGS = /^(text_model|vision_model|visual_projection|text_projection)\.|^logit_(scale|bias)$/;

/**
 * Reads config.json of a class's own folder, or of the whole model that the class is a part of.
 *
 * @returns the settings, whether they are those of the whole model, and how to parse them
 * @throws if the folder holds another kind of model
 */
export async function readFormConfig(
  folder: string,
  form: ModelForm,
  options: PretrainedOptions,
): Promise<{ config: Record<string, unknown>; whole: boolean; how: ConfigOptions }> {
  const what = `${form.architecture}.fromPretrained`;
  const { storage, acceptKeys } = checkOptions(what, options, { storage: true, acceptKeys: true });
  if (storage !== undefined) checkChoice(`${what}: storage`, storage, ["float32", "float16"]);
  const config = await readModelJson(folder, "config.json", what);
  const hasSections = Boolean(
    config["text_config"] ??
      config["vision_config"] ??
      config["text_config_dict"] ??
      config["vision_config_dict"],
  );
  const wholeType = form.tower?.wholeType ?? form.modelType;
  // Configurations without model_type were written by hand; their sections tell the kind.
  const type = config["model_type"] ?? (hasSections ? wholeType : form.modelType);
  const whole = hasSections && type === wholeType;
  if (whole || (form.tower && type === form.modelType)) {
    return { config, whole, how: { file: `${folder}/config.json`, acceptKeys } };
  }
  const accepted = form.tower ? `"${form.modelType}" or "${wholeType}"` : `"${wholeType}"`;
  const missing = type === wholeType ? ", but without text_config and vision_config" : "";
  throw new Error(
    `${what}: config.json in ${folder} must have model_type ${accepted}, got ${JSON.stringify(config["model_type"])}${missing}`,
  );
}

/**
 * Loads a model's weights from a folder of its class, or of the whole model that its class is a part of, and the files that
 * travel with it.
 *
 * @throws if a weight is missing, has another shape, or belongs to no class of the family
 */
export async function loadForm<M extends Module & { companionFiles: Record<string, Uint8Array> }>(
  model: M,
  folder: string,
  form: ModelForm,
  options: PretrainedOptions,
): Promise<M> {
  const read = (how: ReadOptions) => readModelWeights(folder, how);
  await loadPretrained(model, read, options, (weights) =>
    model.loadStateDict(ownWeights(model, weights, form)),
  );
  for (const name of form.companions) {
    const bytes = await readModelFile(folder, name);
    if (bytes) model.companionFiles[name] = bytes;
  }
  return model;
}

/** What of a folder's weights is the model's, under the model's names; names that no sibling has are kept, to be refused. */
function ownWeights(model: Module, weights: StateDict, { tower }: ModelForm): StateDict {
  const known = new Set(Array.from(model.namedParameters(), ([name]) => name));
  // transformers 5 may write a tower's weights without its prefix.
  const bare = tower && !Object.keys(weights).some((name) => name.startsWith(tower.prefix));
  const named = Object.entries(weights).map(
    ([name, weight]) => [bare && !SIBLINGS.test(name) ? tower.prefix + name : name, weight] as const,
  );
  return Object.fromEntries(named.filter(([name]) => known.has(name) || !SIBLINGS.test(name)));
}

/**
 * Writes a model's folder as transformers does: config.json, model.safetensors and the files that travel with it; each whole
 * or not at all.
 *
 * @throws while LoRA adapters are in place; nothing is written then
 */
export async function saveForm(
  model: Module & { config: object; companionFiles: Record<string, Uint8Array> },
  folder: string,
  form: ModelForm,
  options: SaveOptions | undefined,
): Promise<void> {
  const what = `${form.architecture}.savePretrained`;
  const { dtype = "F32" } = checkOptions<SaveOptions>(what, options, { dtype: true });
  checkChoice(`${what}: dtype`, dtype, ["F32", "F16"]);
  refuseAdapters(model, what);
  const config = { ...model.config, architectures: [form.architecture], model_type: form.modelType };
  await writeModelFolder(folder, model.stateDict(), config, { dtype, files: model.companionFiles });
}

function refuseAdapters(model: Module, what: string): void {
  for (const [name] of model.namedParameters()) {
    if (name.includes(".lora_")) {
      throw new Error(`${what}: merge or remove the LoRA adapters first; found ${name}`);
    }
  }
}
