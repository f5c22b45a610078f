import * as tf from "@tensorflow/tfjs-core";
import type { Parameter } from "../nn/parameter.js";

/**
 * A scalar loss and its gradient with respect to each parameter, in the order given.
 *
 * A parameter that the loss does not depend on gets zeros. The caller disposes the value and the gradients.
 */
export function valueAndGradients(
  loss: () => tf.Scalar,
  parameters: readonly Parameter[],
): { value: tf.Scalar; gradients: tf.Tensor[] } {
  if (parameters.length === 0) throw new Error("valueAndGradients: parameters must not be empty");
  const variables = parameters.map((parameter) => parameter.value as tf.Tensor);
  const scalarLoss = () => {
    const value = loss();
    if (value.rank === 0) return value;
    throw new Error(
      `valueAndGradients: loss must return a scalar, got [${value.shape}]; take its mean or sum`,
    );
  };
  const { value, grads } = tf.engine().gradients(scalarLoss, variables, undefined, true);
  if (grads.every((gradient) => gradient == null)) {
    value.dispose();
    throw new Error("valueAndGradients: the loss depends on none of the parameters");
  }
  const gradients = grads.map((gradient, i) => gradient ?? tf.zerosLike(variables[i]));
  return { value: value as tf.Scalar, gradients };
}
