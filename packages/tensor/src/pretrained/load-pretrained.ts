import * as tf from "@tensorflow/tfjs-core";
import type { ReadOptions } from "../io/decode-tensor.js";
import type { Module, StateDict } from "../nn/module.js";
import { hasFloat16Storage } from "../ops/store-as.js";
import type { PretrainedOptions } from "./load-weights.js";

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
