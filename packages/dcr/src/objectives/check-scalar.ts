import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";

/**
 * Accepts float32 scalars only.
 *
 * @param name how the error names it, such as `"objective mine: the loss"`
 */
export function checkScalar(name: string, value: unknown): asserts value is tf.Scalar {
  if (!(value instanceof tf.Tensor)) {
    throw new TypeError(`${name} must be a scalar tensor, got ${describe(value)}`);
  }
  if (value.rank !== 0) throw new Error(`${name} must be a scalar tensor, got shape [${value.shape}]`);
  if (value.dtype !== "float32") throw new TypeError(`${name} must be float32, got ${value.dtype}`);
}
