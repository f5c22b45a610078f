import {
  type ConfigOptions,
  checkPretrainedOptions,
  loadWeights,
  type Module,
  type PretrainedOptions,
  readModelFile,
  readModelJson,
  resolvePretrained,
} from "@dcr-js/tensor";
import { SIBLINGS, towerOf } from "./tower.js";

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
  /** The settings that the class's constructor takes. */
  parse(read: FormConfig): object;
}

/** What {@link readFormConfig} read. */
export interface FormConfig {
  config: Record<string, unknown>;
  /** Whether the settings are those of the whole model. */
  whole: boolean;
  /** How to parse them. */
  how: ConfigOptions;
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

/**
 * Reads config.json of a class's own folder, or of the whole model that the class is a part of.
 *
 * @param source the folder, or the model's id on the hub
 * @throws if the folder holds another kind of model
 */
export async function readFormConfig(
  source: string,
  form: ModelForm,
  options: PretrainedOptions,
): Promise<FormConfig> {
  const what = `${form.architecture}.fromPretrained`;
  const { acceptKeys } = checkPretrainedOptions(what, options);
  const folder = await resolvePretrained(what, source, options);
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
export async function loadForm<M extends Module & { readonly companionFiles: Record<string, Uint8Array> }>(
  model: M,
  source: string,
  form: ModelForm,
  options: PretrainedOptions,
): Promise<M> {
  // The settings were read before this, so that what came from the hub is in the cache now.
  const found = { ...options, refresh: false };
  const folder = await resolvePretrained(`${form.architecture}.fromPretrained`, source, found);
  const names = (inFile: readonly string[]) => {
    const own = ownWeights(model, inFile, form);
    const tower = towerOf(model);
    // Where the file holds more than the tower, its class is another one.
    if (tower) tower.alone = inFile.every((name) => own.has(name) || BUFFERS.test(name));
    return own;
  };
  // Before the weights, which a file that cannot be read would leave behind.
  for (const name of form.companions) {
    const bytes = await readModelFile(folder, name);
    if (bytes) model.companionFiles[name] = bytes;
  }
  return loadWeights(model, folder, { ...options, baseName: "model", names });
}

/** Buffers of positions, which older checkpoints hold. */
const BUFFERS = /embeddings\.position_ids$/;

/** Which of a folder's weights are the model's, by the model's names; names that no sibling has are kept, to be refused. */
function ownWeights(
  model: Module,
  inFile: readonly string[],
  { tower }: ModelForm,
): ReadonlyMap<string, string> {
  const known = new Set(Array.from(model.namedParameters(), ([name]) => name));
  // transformers 5 writes the class of a tower alone without the prefix, transformers 4 with it.
  const bare = tower && !inFile.some((name) => name.startsWith(tower.prefix));
  const named = inFile
    .filter((name) => !BUFFERS.test(name))
    .map((name) => [name, bare && !SIBLINGS.test(name) ? tower.prefix + name : name] as const);
  return new Map(named.filter(([, name]) => known.has(name) || !SIBLINGS.test(name)));
}
