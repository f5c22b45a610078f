import * as tf from "@tensorflow/tfjs-core";

/**
 * Marks gradients that were computed from saved values, as constants: a second derivative of them would lack a part and is refused.
 *
 * @param name the function, for the error
 * @param gradients `sources`: the tensors that the gradients depend on
 * @returns the same gradients; differentiating them throws
 */
export function firstOrderOnly(
  name: string,
  { gradients, sources }: { gradients: tf.Tensor[]; sources: tf.Tensor[] },
): tf.Tensor[] {
  const refuse = (): never => {
    throw new Error(`${name}: second derivatives are not supported`);
  };
  return gradients.map((gradient) =>
    tf.customGrad((y) => ({ value: tf.clone(y as tf.Tensor), gradFunc: refuse }))(gradient, ...sources),
  );
}
