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
  const { value, grads } = tf.engine().gradients(loss, variables, undefined, true);
  if (grads.every((gradient) => gradient == null)) {
    value.dispose();
    throw new Error("valueAndGradients: the loss depends on none of the parameters");
  }
  const gradients = grads.map((gradient, i) => gradient ?? tf.zerosLike(variables[i]));
  return { value: value as tf.Scalar, gradients };
}
