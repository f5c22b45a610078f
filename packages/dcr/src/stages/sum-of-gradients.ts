import { accumulateGradients, type Parameter, valueAndGradients } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/**
 * The gradients of the sum of a value over several parts, one part's graph at a time. The caller disposes them.
 *
 * @param lossOf the value of a part; it need dispose nothing
 * @returns undefined where there are no parts
 */
export function sumOfGradients<P>(
  parameters: readonly Parameter[],
  parts: Iterable<P>,
  lossOf: (part: P) => tf.Scalar,
): tf.Tensor[] | undefined {
  let sum: tf.Tensor[] | undefined;
  try {
    for (const part of parts) {
      const { value, gradients } = valueAndGradients(() => tf.tidy(() => lossOf(part)), parameters);
      value.dispose();
      sum = accumulateGradients(sum, gradients);
    }
    return sum;
  } catch (error) {
    tf.dispose(sum ?? []);
    throw error;
  }
}
