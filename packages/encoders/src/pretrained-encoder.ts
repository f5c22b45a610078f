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
  /** @internal */
  readonly form: ModelForm;
}

/** What every class of CLIP and SigLIP has: its models come from a Hugging Face folder, and go into one. */
export abstract class PretrainedEncoder extends Module {
  /** The settings in full, as in config.json. */
  abstract readonly config: object;
  /** Files that travel with the model (image processor, tokenizer): read with it and written by `savePretrained`. */
  readonly companionFiles: Record<string, Uint8Array> = {};

  /**
   * The model of a folder without its weights, which says how large it is. Only `config.json` is read.
   *
   * @param folder as of {@link fromPretrained}
   * @param options as of {@link fromPretrained}
   */
  static async fromConfig<M extends PretrainedEncoder>(
    this: PretrainedEncoderClass<M>,
    folder: string,
    options: PretrainedOptions = {},
  ): Promise<M> {
    // biome-ignore lint/complexity/noThisInStatic: the class that this is called on
    const config = this.form.parse(await readFormConfig(folder, this.form, options));
    return new this(config as never, { acceptKeys: options.acceptKeys });
  }

  /**
   * Reads a Hugging Face folder: config.json, model.safetensors (whole or in shards), and the image processor's and tokenizer's
   * files, which are kept for {@link savePretrained}. A tower also comes from the folder of the whole model, and a tower without
   * projection from that of the tower with it.
   *
   * @param folder a model's folder, for example a copy of `openai/clip-vit-large-patch14`, or its id on the hub
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `acceptKeys`: unknown keys that may be ignored
   * @throws if a file or a weight is missing (a tower alone may have no projection), or has another shape than the settings say
   */
  static async fromPretrained<M extends PretrainedEncoder>(
    this: PretrainedEncoderClass<M> & Pick<typeof PretrainedEncoder, "fromConfig">,
    folder: string,
    options: PretrainedOptions = {},
  ): Promise<M> {
    // biome-ignore lint/complexity/noThisInStatic: the class that this is called on
    return loadForm(await this.fromConfig(folder, options), folder, this.form, options);
  }

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
