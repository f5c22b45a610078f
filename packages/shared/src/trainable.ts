import * as tf from "@tensorflow/tfjs-core";
import { describe } from "./check-options.js";

/**
 * A variable (or any tensor that losses depend on), or an object that holds one: a `Parameter` of `@dcr-js/tensor` as `value`, a weight of a
 * `tf.layers` model as `val`.
 */
export type Trainable = tf.Tensor | { readonly value: tf.Tensor } | { readonly val: tf.Tensor };

/** The tensor of a trainable, or undefined for anything else. */
export function tensorIn(trainable: unknown): tf.Tensor | undefined {
  const { value, val } = (trainable ?? {}) as { value?: unknown; val?: unknown };
  return [trainable, value, val].find((held) => held instanceof tf.Tensor);
}

/** The tensor of a trainable. @throws with its name on anything else */
export function tensorOf(name: string, trainable: Trainable): tf.Tensor {
  const tensor = tensorIn(trainable);
  if (tensor) return tensor;
  throw new TypeError(
    `${name} must be a tf.Variable, a tensor, a Parameter or a tf.layers weight, got ${describe(trainable)}`,
  );
}
