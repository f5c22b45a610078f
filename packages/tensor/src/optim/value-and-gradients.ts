import * as tf from "@tensorflow/tfjs-core";
import { Parameter } from "../nn/parameter.js";
import { checkFunction, describe } from "../shared/check-options.js";

/**
 * A scalar loss and its gradient with respect to each parameter, in the order given.
 *
 * A parameter that the loss does not depend on gets zeros. The caller disposes the value and the gradients.
 *
 * @param loss not async: what it computes after an await would not be recorded.
 * @throws where the loss is no scalar tensor, or depends on none of the parameters
 */
export function valueAndGradients(
  loss: () => tf.Scalar,
  parameters: readonly Parameter[],
): { value: tf.Scalar; gradients: tf.Tensor[] } {
  checkFunction("valueAndGradients: loss", loss);
  if (!Array.isArray(parameters)) {
    throw new TypeError(
      `valueAndGradients: parameters must be an array of Parameters, got ${describe(parameters)}`,
    );
  }
  for (const [i, parameter] of parameters.entries()) {
    if (!(parameter instanceof Parameter)) {
      throw new TypeError(
        `valueAndGradients: parameters[${i}] must be a Parameter, got ${describe(parameter)}`,
      );
    }
  }
  if (parameters.length === 0) throw new Error("valueAndGradients: parameters must not be empty");
  const variables = parameters.map((parameter) => parameter.value as tf.Tensor);
  const scalarLoss = () => {
    const value: unknown = loss();
    if (tf.util.isPromise(value)) throw new Error("valueAndGradients: loss must not be async");
    if (!(value instanceof tf.Tensor)) {
      throw new TypeError(`valueAndGradients: loss must return a scalar tensor, got ${describe(value)}`);
    }
    if (value.rank === 0) return value as tf.Scalar;
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
