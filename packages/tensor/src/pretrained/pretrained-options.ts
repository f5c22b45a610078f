import type { FloatStorage } from "../backend/webgpu/store.js";
import { checkChoice, checkOptions, type OptionNames } from "../shared/check-options.js";
import { type HubOptions, hubOptionNames } from "./hub/environment.js";
import { type ResolveOptions, resolveModel } from "./hub/resolve-model.js";

/** How `fromPretrained` loads a model. */
export interface PretrainedOptions extends HubOptions {
  /**
   * How the weights are stored. With `"float16"` they take half the memory, are never on the device as float32, and are frozen:
   * F16 files go there as they are, others are rounded on the way (see `storeAs` of `@dcr-js/tensor`). Default `"float32"`.
   */
  storage?: FloatStorage;
  /** Keys of the configuration that nobody knows and that may be ignored, by name. Default none: each is an error. */
  acceptKeys?: readonly string[];
  /** The variant in the weights' file names: `"fp16"` for `model.fp16.safetensors`. Default none. */
  variant?: string;
  /** The folder in the model's folder or repository that holds it, such as `"unet"`. Default none. */
  subfolder?: string;
}

export const pretrainedOptionNames: OptionNames<PretrainedOptions> = {
  storage: true,
  acceptKeys: true,
  variant: true,
  subfolder: true,
  ...hubOptionNames,
};

/**
 * Checks the options of a model's `fromPretrained`, or of a function that takes more than these.
 *
 * @param caller the public function, for the error
 * @param own the options that the function has beside
 * @returns a copy without undefined options
 * @throws on an unknown option or storage
 */
export function checkPretrainedOptions<T extends PretrainedOptions = PretrainedOptions>(
  caller: string,
  options: T | undefined,
  own?: Omit<OptionNames<T>, keyof PretrainedOptions>,
): T {
  const known = checkOptions<T>(caller, options, { ...own, ...pretrainedOptionNames } as OptionNames<T>);
  if (known.storage !== undefined) checkChoice(`${caller}: storage`, known.storage, ["float32", "float16"]);
  return known;
}

/**
 * The folder of a model that `fromPretrained` is given, by {@link resolveModel}.
 *
 * @param caller the public function, for the error
 * @param idOrFolder a folder, or a model's id on the hub
 * @param options of `fromPretrained`
 * @param wanted which files, where that is not settings and weights
 * @throws what {@link checkPretrainedOptions} and {@link resolveModel} throw
 */
export async function resolvePretrained(
  caller: string,
  idOrFolder: string,
  options: PretrainedOptions | undefined,
  wanted: Pick<ResolveOptions, "weights" | "needs" | "subfolders"> = {},
): Promise<string> {
  const { storage: _, acceptKeys: __, ...place } = checkPretrainedOptions(caller, options);
  try {
    return await resolveModel(idOrFolder, { ...place, ...wanted });
  } catch (error) {
    throw new Error(`${caller}: ${(error as Error).message}`, { cause: error });
  }
}
