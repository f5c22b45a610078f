import { CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer } from "@dcr-js/encoders";
import {
  checkPretrainedOptions,
  type Module,
  type PretrainedOptions,
  readModelJson,
  resolvePretrained,
} from "@dcr-js/tensor";
import { DDPMScheduler } from "../schedulers/ddpm-scheduler.js";
import { schedulerClasses } from "../schedulers/scheduler-config.js";
import { checkChoice, describe } from "../shared/check-options.js";
import { UNet2DConditionModel } from "../unet/unet-2d-condition-model.js";
import { AutoencoderKL } from "../vae/autoencoder-kl.js";

/** The parts of a Stable Diffusion model. The caller disposes the models. */
export interface StableDiffusion {
  scheduler: DDPMScheduler;
  tokenizer: CLIPTokenizer;
  textEncoder: CLIPTextModel;
  vae: AutoencoderKL;
  unet: UNet2DConditionModel;
}

/** The parts of a Stable Diffusion XL model: a second text encoder besides. */
export interface StableDiffusionXL extends StableDiffusion {
  tokenizer2: CLIPTokenizer;
  textEncoder2: CLIPTextModelWithProjection;
}

export interface StableDiffusionOptions<Name extends keyof StableDiffusionXL> extends PretrainedOptions {
  /**
   * The parts to load, such as `["unet", "scheduler"]`, at least one. Default: scheduler, tokenizer, textEncoder, vae and unet, and for
   * Stable Diffusion XL tokenizer2 and textEncoder2.
   */
  components?: readonly Name[];
}

/** A part's folder and entry in model_index.json, the classes that are read, and how. */
interface Component {
  entry: string;
  classes: readonly string[];
  load: (folder: string, options: PretrainedOptions) => Promise<unknown>;
  /** Checks the part's settings without its weights. */
  check?: (folder: string, options: Pick<PretrainedOptions, "acceptKeys">) => Promise<unknown>;
}

const tokenizer = (folder: string, { acceptKeys }: PretrainedOptions) =>
  CLIPTokenizer.fromPretrained(folder, { acceptKeys });
const tokenizerClasses = ["CLIPTokenizer", "CLIPTokenizerFast"];

/** In the order of loading: small parts first. */
const parts: Record<keyof StableDiffusionXL, Component> = {
  scheduler: {
    entry: "scheduler",
    classes: schedulerClasses,
    load: (folder, { acceptKeys }) => DDPMScheduler.fromPretrained(folder, { acceptKeys }),
  },
  tokenizer: { entry: "tokenizer", classes: tokenizerClasses, load: tokenizer },
  tokenizer2: { entry: "tokenizer_2", classes: tokenizerClasses, load: tokenizer },
  textEncoder: { entry: "text_encoder", classes: ["CLIPTextModel"], load: CLIPTextModel.fromPretrained },
  textEncoder2: {
    entry: "text_encoder_2",
    classes: ["CLIPTextModelWithProjection"],
    load: CLIPTextModelWithProjection.fromPretrained,
  },
  vae: {
    entry: "vae",
    classes: ["AutoencoderKL"],
    load: AutoencoderKL.fromPretrained,
    check: AutoencoderKL.fromConfig,
  },
  unet: {
    entry: "unet",
    classes: ["UNet2DConditionModel"],
    load: UNet2DConditionModel.fromPretrained,
    check: UNet2DConditionModel.fromConfig,
  },
};
const names = Object.keys(parts) as (keyof StableDiffusionXL)[];
const ofXL: readonly string[] = ["tokenizer2", "textEncoder2"];

/**
 * Loads an unmodified diffusers folder of Stable Diffusion 1.x, 2.x or XL. A pipeline's other parts (safety checker, feature
 * extractor, image encoder) are not read.
 *
 * @param source the folder with `model_index.json`, or the model's id on the hub, of which the parts to load are downloaded
 * @param options `components`: the parts to load; `storage`: `"float16"` for frozen weights in half the memory; `variant`: `"fp16"`
 *   for files of that variant; `acceptKeys`: unknown keys of the parts' configurations that may be ignored, by name
 * @throws if a part is missing, is of a class that is not supported, or is not what its settings say. Nothing stays loaded then.
 *
 * @example
 * const { unet, vae, scheduler } = await loadStableDiffusion("stable-diffusion-2-1-base", {
 *   components: ["unet", "vae", "scheduler"],
 *   storage: "float16",
 * });
 */
export async function loadStableDiffusion(
  source: string,
  options?: PretrainedOptions,
): Promise<StableDiffusion & Partial<StableDiffusionXL>>;
export async function loadStableDiffusion<Name extends keyof StableDiffusionXL>(
  source: string,
  options: StableDiffusionOptions<Name>,
): Promise<Pick<StableDiffusionXL, Name>>;
export async function loadStableDiffusion<Name extends keyof StableDiffusionXL>(
  source: string,
  options: StableDiffusionOptions<Name> = {},
): Promise<Pick<StableDiffusionXL, Name>> {
  const caller = "loadStableDiffusion";
  const { components, ...rest } = checkPretrainedOptions<StableDiffusionOptions<Name>>(caller, options, {
    components: true,
  });
  const { subfolder: _, ...how } = rest;
  if (components !== undefined && (!Array.isArray(components) || components.length === 0)) {
    throw new TypeError(
      `${caller}: components must be a list of names, not empty, got ${describe(components)}`,
    );
  }
  for (const name of components ?? []) checkChoice(`${caller}: components`, name, names);
  const chosen: readonly (keyof StableDiffusionXL)[] = components ?? names;
  const subfolders = chosen.map((name) => parts[name].entry);
  const folder = await resolvePretrained(caller, source, rest, { subfolders });
  const index = await readModelJson(folder, "model_index.json", caller);
  const wanted = names.filter((name) =>
    components === undefined
      ? !ofXL.includes(name) || className(index, name) !== undefined
      : components.includes(name as Name),
  );
  for (const name of wanted) {
    const { entry, classes } = parts[name];
    const written = className(index, name);
    if (written === undefined) {
      throw new Error(`${caller}: ${folder}/model_index.json has no ${entry}`);
    }
    if (!classes.includes(written)) {
      throw new Error(
        `${caller}: ${folder}/model_index.json: ${entry} must be one of ${classes.join(", ")}, got ${describe(written)}`,
      );
    }
  }
  // A wrong setting is found before gigabytes of other parts are read.
  for (const name of wanted) {
    await parts[name].check?.(`${folder}/${parts[name].entry}`, { acceptKeys: how.acceptKeys });
  }
  const loaded: Partial<Record<keyof StableDiffusionXL, unknown>> = {};
  try {
    for (const name of wanted) {
      loaded[name] = await parts[name].load(`${folder}/${parts[name].entry}`, how);
    }
  } catch (error) {
    for (const part of Object.values(loaded)) (part as Partial<Module>).dispose?.();
    throw error;
  }
  return loaded as Pick<StableDiffusionXL, Name>;
}

/** The class that model_index.json names for a part: `"unet": ["diffusers", "UNet2DConditionModel"]`; `[null, null]` is none. */
function className(index: Record<string, unknown>, name: keyof StableDiffusionXL): string | undefined {
  const value = index[parts[name].entry];
  const written = Array.isArray(value) ? value[1] : undefined;
  return typeof written === "string" ? written : undefined;
}
