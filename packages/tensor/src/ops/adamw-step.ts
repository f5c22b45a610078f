import * as tf from "@tensorflow/tfjs-core";
import { defineComposite, runFused } from "./fused-kernel.js";

/** A parameter with its gradient and moments, all of one shape. */
export interface AdamWTensors {
  parameter: tf.Tensor;
  gradient: tf.Tensor;
  first: tf.Tensor;
  second: tf.Tensor;
}

/** The scalars of one step. */
export interface AdamWScalars {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Learning rate over `1 - beta1^t`. */
  stepSize: number;
  /** `sqrt(1 - beta2^t)`. */
  correction: number;
  /** Factor on the parameter, `1 - learning rate * weight decay`. */
  kept: number;
}

/**
 * One step of AdamW (Loshchilov & Hutter 2019, algorithm 2) on one parameter, in one pass over memory.
 *
 * @returns the new parameter, first and second moment: fresh tensors, so that clones of the old ones keep their values.
 */
export function adamWStep(
  tensors: AdamWTensors,
  scalars: AdamWScalars,
): [parameter: tf.Tensor, first: tf.Tensor, second: tf.Tensor] {
  return runFused<[tf.Tensor, tf.Tensor, tf.Tensor]>("AdamWStep", { ...tensors }, { ...scalars });
}

defineComposite({
  kernelName: "AdamWStep",
  compute: ({ parameter, gradient, first, second }, attrs) => {
    const { beta1, beta2, epsilon, stepSize, correction, kept } = attrs as unknown as AdamWScalars;
    const m = tf.add(tf.mul(first, beta1), tf.mul(gradient, 1 - beta1));
    const v = tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const denominator = tf.add(tf.div(tf.sqrt(v), correction), epsilon);
    return [tf.sub(tf.mul(parameter, kept), tf.mul(tf.div(m, denominator), stepSize)), m, v];
  },
});
