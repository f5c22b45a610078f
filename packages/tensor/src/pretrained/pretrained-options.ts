import type { FloatStorage } from "../backend/webgpu/store.js";
import { checkChoice, checkOptions, type OptionNames } from "../shared/check-options.js";

/** How `fromPretrained` loads a model. */
export interface PretrainedOptions {
  /**
   * How the weights are stored. With `"float16"` they take half the memory, are never on the device as float32, and are frozen:
   * F16 files go there as they are, others are rounded on the way (see `storeAs` of `@dcr-js/tensor`). Default `"float32"`.
   */
  storage?: FloatStorage;
  /** Keys of the configuration that nobody knows and that may be ignored, by name. Default none: each is an error. */
  acceptKeys?: readonly string[];
  /** The variant in the weights' file names: `"fp16"` for `model.fp16.safetensors`. Default none. */
  variant?: string;
}

const names: OptionNames<PretrainedOptions> = { storage: true, acceptKeys: true, variant: true };

/**
 * Checks the options of a model's `fromPretrained`.
 *
 * @param caller the public function, for the error
 * @returns a copy without undefined options
 * @throws on an unknown option or storage
 */
export function checkPretrainedOptions(
  caller: string,
  options: PretrainedOptions | undefined,
): PretrainedOptions {
  const known = checkOptions(caller, options, names);
  if (known.storage !== undefined) checkChoice(`${caller}: storage`, known.storage, ["float32", "float16"]);
  return known;
}
