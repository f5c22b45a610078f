import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";

/**
 * Accepts float32 tensors only: squares of int32 wrap around.
 *
 * @param name how the error names it, such as `"theoremOne: features"`
 * @param shape the tensor's axes, such as `"[n, dim]"`, of which it must have as many; default any
 */
export function checkFloatTensor(name: string, value: unknown, shape?: string): asserts value is tf.Tensor {
  if (!(value instanceof tf.Tensor)) {
    throw new TypeError(`${name} must be a tensor${shape ? ` ${shape}` : ""}, got ${describe(value)}`);
  }
  if (value.dtype !== "float32") throw new TypeError(`${name} must be float32, got ${value.dtype}`);
  if (shape === undefined || value.rank === shape.split(",").length) return;
  throw new Error(`${name} must be ${shape}, got [${value.shape}]`);
}
