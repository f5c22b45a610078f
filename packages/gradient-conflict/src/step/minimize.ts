import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";
import { type BackwardOptions, backward, inputsOfStep, type Losses, type StepMeasures } from "./backward.js";
import type { Features } from "./features.js";

/**
 * A `tf.Optimizer`, or one that takes the gradients in the order of its parameters, as `AdamW` of `@dcr-js/tensor`: those of `variables` and
 * then of `heads`.
 */
export type StepOptimizer =
  | { applyGradients(gradients: { name: string; tensor: tf.Tensor }[]): void }
  | { step(gradients: readonly tf.Tensor[]): void };

/**
 * {@link backward}, and a step of the optimizer along its gradient, which is disposed.
 *
 * @returns what the step measured; give its `memory` to the next call
 * @throws as {@link backward}, and when a tf.Optimizer meets what is no tf.Variable or one that is not trainable; no variable has changed
 *   then
 *
 * @example
 * const optimizer = tf.train.adam(1e-3);
 * let memory;
 * for (let step = 0; step < steps; step++) {
 *   const measures = await minimize(optimizer, losses, { variables, aggregator: gradVac(), step, memory });
 *   memory = measures.memory;
 * }
 */
export async function minimize<F extends Features = never>(
  optimizer: StepOptimizer,
  losses: Losses<F>,
  options: BackwardOptions<F>,
): Promise<StepMeasures> {
  const apply = applierOf(optimizer, options);
  const { gradients, ...measures } = await backward(losses, options);
  try {
    apply(gradients);
    return measures;
  } finally {
    tf.dispose(gradients);
  }
}

function applierOf<F extends Features>(
  optimizer: StepOptimizer,
  options: BackwardOptions<F>,
): (gradients: Record<string, tf.Tensor>) => void {
  if (
    typeof optimizer !== "object" ||
    optimizer === null ||
    !("applyGradients" in optimizer || "step" in optimizer)
  ) {
    throw new TypeError(
      `minimize: optimizer must be a tf.Optimizer or have a method step(gradients), got ${describe(optimizer)}`,
    );
  }
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`minimize: options must be an object, got ${describe(options)}`);
  }
  const { shared, heads } = inputsOfStep(options);
  const names = [...shared.names, ...heads.names];
  if ("applyGradients" in optimizer) {
    const variables = [...shared.tensors, ...heads.tensors].map((tensor, i) => {
      if (!(tensor instanceof tf.Variable)) {
        throw new TypeError(
          `minimize: ${JSON.stringify(names[i])} must be a tf.Variable for a tf.Optimizer, got a tensor`,
        );
      }
      if (!tensor.trainable) throw new Error(`minimize: ${JSON.stringify(names[i])} is not trainable`);
      return tensor;
    });
    return (gradients) =>
      optimizer.applyGradients(
        variables.map((variable, i) => ({ name: variable.name, tensor: gradients[names[i]] })),
      );
  }
  return (gradients) => optimizer.step(names.map((name) => gradients[name]));
}
