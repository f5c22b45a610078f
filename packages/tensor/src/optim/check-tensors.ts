import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";

/** Refuses what is no list of tensors that live. @param name how the error names it, such as `"globalNorm: tensors"` */
export function checkTensors(name: string, tensors: readonly tf.Tensor[]): void {
  if (!Array.isArray(tensors)) {
    throw new TypeError(`${name} must be an array of tensors, got ${describe(tensors)}`);
  }
  for (const [i, x] of tensors.entries()) {
    if (!(x instanceof tf.Tensor)) throw new TypeError(`${name}[${i}] must be a tensor, got ${describe(x)}`);
    if (x.isDisposed) throw new Error(`${name}[${i}] [${x.shape}] is disposed`);
  }
}
