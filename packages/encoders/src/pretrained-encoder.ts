import {
  type ConfigOptions,
  keysOf,
  Module,
  type PretrainedOptions,
  type SavePretrainedOptions,
  saveModelFolder,
} from "@dcr-js/tensor";
import { loadForm, type ModelForm, readFormConfig } from "./model-folder.js";
import { checkOptions } from "./shared/check-options.js";

/** A class by how its models are made of settings, and how they lie in a folder. */
export interface PretrainedEncoderClass<M> {
  new (config: never, options?: ConfigOptions): M;
  readonly form: ModelForm;
}

/** The model of a folder without its weights. Only `config.json` is read. */
export async function encoderOfConfig<M>(
  Class: PretrainedEncoderClass<M>,
  folder: string,
  options: PretrainedOptions = {},
): Promise<M> {
  const config = Class.form.parse(await readFormConfig(folder, Class.form, options));
  return new Class(config as never, { acceptKeys: options.acceptKeys });
}

/** The model of a folder with its weights and companion files. */
export async function encoderOfFolder<M extends PretrainedEncoder>(
  Class: PretrainedEncoderClass<M>,
  folder: string,
  options: PretrainedOptions = {},
): Promise<M> {
  return loadForm(await encoderOfConfig(Class, folder, options), folder, Class.form, options);
}

/** What every class of CLIP and SigLIP has: its models come from a Hugging Face folder, and go into one. */
export abstract class PretrainedEncoder extends Module {
  /** The settings in full, as in config.json. */
  abstract readonly config: object;
  /** Files that travel with the model (image processor, tokenizer): read with it and written by `savePretrained`. */
  readonly companionFiles: Record<string, Uint8Array> = {};

  /**
   * Writes an ordinary Hugging Face folder: config.json, model.safetensors and the companion files, all or none. Where the
   * model carries companion files, one that the folder has and the model does not is removed: it would be another model's.
   *
   * @param folder made if it is missing
   * @throws while adapters are in place: merge them first; where a part of the model is missing, or a weight is not finite as it is
   *   stored; nothing is written then
   */
  async savePretrained(folder: string, options?: SavePretrainedOptions): Promise<void> {
    const Class = this.constructor as PretrainedEncoderClass<this>;
    const { architecture, modelType, companions } = Class.form;
    const { dtype } = checkOptions<SavePretrainedOptions>(`${architecture}.savePretrained`, options, {
      dtype: true,
    });
    await saveModelFolder(this, folder, {
      baseName: "model",
      dtype,
      config: { ...this.config, architectures: [architecture], model_type: modelType },
      like: new Class(this.config as never, { acceptKeys: keysOf(this.config) }),
      files: this.companionFiles,
      companions,
    });
  }
}
