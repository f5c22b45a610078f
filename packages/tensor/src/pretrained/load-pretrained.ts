import * as tf from "@tensorflow/tfjs-core";
import type { FloatStorage } from "../backend/webgpu/store.js";
import type { ReadOptions } from "../io/safetensors.js";
import type { Module, StateDict } from "../nn/module.js";
import { hasFloat16Storage } from "../ops/store-as.js";

/** How `fromPretrained` loads a model. */
export interface PretrainedOptions {
  /**
   * How the weights are stored. With `"float16"` they take half the memory, are never on the device as float32, and are frozen:
   * F16 files go there as they are, others are rounded on the way (see `storeAs` of `@dcr-js/tensor`). Default `"float32"`.
   */
  storage?: FloatStorage;
  /** Keys of the configuration that nobody knows and that may be ignored, by name. Default none: each is an error. */
  acceptKeys?: readonly string[];
}

/**
 * Gives a new model the weights of its folder.
 *
 * @param read reads them, stored as it is told
 * @param load copies them into the model; by default each by its name
 * @returns the model
 * @throws for float16 on a backend or an adapter that cannot store it
 */
export async function loadPretrained<M extends Module>(
  model: M,
  read: (options: ReadOptions) => Promise<StateDict>,
  { storage = "float32" }: PretrainedOptions,
  load: (weights: StateDict) => unknown = (weights) => model.loadStateDict(weights),
): Promise<M> {
  if (storage === "float16") {
    if (!hasFloat16Storage()) {
      throw new Error(
        `${model.constructor.name}.fromPretrained: storage "float16" needs WebGPU on an adapter with shader-f16 ` +
          `(hasFloat16Storage() is false on backend "${tf.getBackend()}"); use "float32"`,
      );
    }
    model.requiresGrad(false);
  }
  const weights = await read({ storage });
  try {
    load(weights);
  } finally {
    tf.dispose(weights);
  }
  return model;
}
