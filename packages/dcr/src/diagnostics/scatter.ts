import * as tf from "@tensorflow/tfjs-core";
import { checkFloatTensor } from "../objectives/check-float-tensor.js";
import { checkNumber, describe } from "../shared/check-options.js";

/** How classes lie in a space; the caller disposes both scalars. */
export interface Scatter {
  /** `S_inner`: the mean squared distance of samples to their class's mean. */
  inner: tf.Scalar;
  /** `S_inter`: the mean squared distance of the samples' class means to the mean of all. */
  inter: tf.Scalar;
}

/**
 * Within-class and between-class scatter of features, the measured side of Theorem 1 (Han et al. 2026):
 *
 *     S_inner = 1/n sum_i |z_i - mu_{y_i}|^2,   S_inter = 1/n sum_i |mu_{y_i} - mu|^2
 *
 * with the mean `mu_c` of class c and the mean `mu` of all. Their sum is the total variance; divide by it to compare
 * spaces of different scale. Differentiable; `O(n^2 dim)`.
 *
 * @param features `[n, dim]`, n >= 2. @param labels the class of each row, `n`.
 * @throws when there is not one label, a finite number, for each row, or fewer than two rows.
 */
export function featureScatter(features: tf.Tensor, labels: ArrayLike<number>): Scatter {
  checkFloatTensor("featureScatter: features", features, "[n, dim]");
  return scatter("featureScatter", features, labels);
}

/**
 * {@link featureScatter} in the space of predicted noise (`S_inner_eps`, `S_inter_eps`), where DCR contrasts. Predictions
 * should be of one image and timestep with different conditions, else the noise itself is most of what scatters.
 *
 * @param noises `[n, ...]`, each flattened; n >= 2. @param labels the class of each row, `n`.
 * @throws when there is not one label, a finite number, for each row, or fewer than two rows.
 */
export function noiseScatter(noises: tf.Tensor, labels: ArrayLike<number>): Scatter {
  checkFloatTensor("noiseScatter: noises", noises);
  if (noises.rank < 2) throw new Error(`noiseScatter: noises must be [n, ...], got [${noises.shape}]`);
  return scatter("noiseScatter", noises, labels);
}

function scatter(caller: string, x: tf.Tensor, labels: ArrayLike<number>): Scatter {
  const n = x.shape[0];
  if (n < 2) throw new Error(`${caller}: expected two samples or more, got ${n}`);
  if (labels?.length !== n) {
    const got = labels?.length ?? describe(labels);
    throw new Error(`${caller}: expected ${n} labels, one for each row, got ${got}`);
  }
  const given = Array.from(labels);
  for (const [i, label] of given.entries()) checkNumber(`${caller}: labels[${i}]`, label);
  const count = (label: number) => given.filter((other) => other === label).length;
  // Row i averages the rows of i's class.
  const averages = given.flatMap((label) => {
    const share = 1 / count(label);
    return given.map((other) => (other === label ? share : 0));
  });
  return tf.tidy(() => {
    const rows = tf.reshape(x, [n, -1]);
    // Distances do not change with the origin, and small numbers lose less to rounding.
    const centred = tf.sub(rows, tf.mean(rows, 0, true)) as tf.Tensor2D;
    const means = tf.matMul(tf.tensor2d(averages, [n, n]), centred);
    const meanSquare = (y: tf.Tensor) => tf.mean(tf.sum(tf.square(y), 1)) as tf.Scalar;
    return { inner: meanSquare(tf.sub(centred, means)), inter: meanSquare(means) } as never;
  }) as unknown as Scatter;
}
