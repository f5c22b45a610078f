import * as tf from "@tensorflow/tfjs-core";
import { checkOptions, describe } from "../shared/check-options.js";

/**
 * A variable (or any tensor that losses depend on), or an object that holds one: a `Parameter` of `@dcr-js/tensor` as `value`, a weight of a
 * `tf.layers` model as `val`.
 */
export type Trainable = tf.Tensor | { readonly value: tf.Tensor } | { readonly val: tf.Tensor };

/** The tensor of a trainable. @throws with its name on anything else */
export function tensorOf(name: string, trainable: Trainable): tf.Tensor {
  if (trainable instanceof tf.Tensor) return trainable;
  const held = (trainable as { value?: unknown })?.value ?? (trainable as { val?: unknown })?.val;
  if (held instanceof tf.Tensor) return held;
  throw new TypeError(
    `${name} must be a tf.Variable, a tensor, a Parameter or a tf.layers weight, got ${describe(trainable)}`,
  );
}

export interface LossGradientsOptions {
  /** Losses by name; each is run once. */
  losses: Readonly<Record<string, () => tf.Scalar>>;
  /** What to differentiate by: by name, or a list, named by position. */
  variables: Readonly<Record<string, Trainable>> | readonly Trainable[];
}

/** Each loss's value and gradient; the caller disposes the tensors. */
export interface LossGradients {
  losses: string[];
  variables: string[];
  /** In the order of `losses`. */
  values: tf.Scalar[];
  /** By loss, then by variable; zeros where a loss does not depend on a variable. */
  gradients: tf.Tensor[][];
}

/**
 * The gradient of each loss by itself. A forward and a backward pass for each; memory of all gradients, `O(m n)`.
 *
 * @throws when there is no loss or no variable, and when a loss depends on none of the variables, with the loss's name.
 */
export function lossGradients(options: LossGradientsOptions): LossGradients {
  const { losses, variables } = checkOptions<LossGradientsOptions>("lossGradients", options, {
    losses: true,
    variables: true,
  });
  const names = Object.keys(losses);
  const entries = Object.entries(variables as Record<string, Trainable>);
  if (names.length === 0) throw new Error("lossGradients: losses must not be empty");
  if (entries.length === 0) throw new Error("lossGradients: variables must not be empty");
  const all = entries.map(
    ([name, trainable]) =>
      [name, tensorOf(`lossGradients: variables[${JSON.stringify(name)}]`, trainable)] as const,
  );
  // A tensor under two names, such as a tied weight, counts once.
  const once = all.filter(([, tensor], i) => all.findIndex(([, other]) => other === tensor) === i);
  const inputs = once.map(([, tensor]) => tensor);
  const result: LossGradients = {
    losses: names,
    variables: once.map(([name]) => name),
    values: [],
    gradients: [],
  };
  try {
    for (const name of names) {
      if (typeof losses[name] !== "function") {
        throw new TypeError(
          `lossGradients: losses[${JSON.stringify(name)}] must be a function, got ${describe(losses[name])}`,
        );
      }
      // What variableGrads does, which skips variables that are marked untrainable.
      const { value, grads } = tf.engine().gradients(losses[name], inputs, undefined, true);
      result.values.push(value as tf.Scalar);
      result.gradients.push(grads.map((gradient, i) => gradient ?? tf.zerosLike(inputs[i])));
      if (grads.every((gradient) => gradient == null)) {
        throw new Error(`lossGradients: loss ${JSON.stringify(name)} depends on none of the variables`);
      }
      if (value.size !== 1) {
        throw new Error(
          `lossGradients: loss ${JSON.stringify(name)} must be a scalar, got shape [${value.shape}]`,
        );
      }
    }
  } catch (error) {
    tf.dispose([result.values, result.gradients] as tf.TensorContainer);
    throw error;
  }
  return result;
}
