import * as tf from "@tensorflow/tfjs-core";

/** A variable, or what holds one, as `Parameter` of `@dcr-js/tensor` does. */
export type Trainable = tf.Variable | { readonly value: tf.Variable };

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
export function lossGradients({ losses, variables }: LossGradientsOptions): LossGradients {
  const names = Object.keys(losses);
  const entries = Object.entries(variables as Record<string, Trainable>);
  if (names.length === 0) throw new Error("lossGradients: losses must not be empty");
  if (entries.length === 0) throw new Error("lossGradients: variables must not be empty");
  const inputs = entries.map(
    ([, trainable]) => ("value" in trainable ? trainable.value : trainable) as tf.Tensor,
  );
  const result: LossGradients = {
    losses: names,
    variables: entries.map(([name]) => name),
    values: [],
    gradients: [],
  };
  try {
    for (const name of names) {
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
