import * as tf from "@tensorflow/tfjs-core";

/** The denoiser's predictions that DCR contrasts; all of one `[h, w, channels]`. */
export interface DCRPredictions {
  /** `P[i, k] = unet(x_t,i, t_i, e_k)`, `[N, N, h, w, channels]`. */
  predictions: tf.Tensor5D;
  /** `A+_i = unet(x_t,i, t_i, e(aug(x_i)))`, `[N, h, w, channels]`. */
  augmented: tf.Tensor4D;
  /** `G_i`, the scheduler's target, `[N, h, w, channels]`. */
  target: tf.Tensor4D;
}

export interface DCRLossOptions {
  /** Default 0.1. */
  temperature?: number;
}

/** One value for each anchor, `[N]`; the caller disposes them. */
export interface DCRLosses {
  /** Towards the augmented view's prediction. */
  augmented: tf.Tensor1D;
  /** Towards the target. */
  target: tf.Tensor1D;
}

/**
 * The two halves of the DCR loss for each anchor (Han et al. 2026, eq. 6): with `s` the cosine similarity of
 * flattened predictions, anchor `a_i = P[i, i]` and candidates `C_i = {A+_i, G_i} + {P[i, k] : k != i}`,
 *
 *     L_i(p) = -s(a_i, p)/tau + log sum_{c in C_i} exp(s(a_i, c)/tau),   p in {A+_i, G_i}.
 *
 * The anchor itself is no candidate. Gradients flow through anchor, augmented positive and negatives.
 *
 * @throws on shapes that do not agree, a batch of one (which has no negatives) and a temperature that is not positive.
 */
export function dcrLossTerms(inputs: DCRPredictions, { temperature = 0.1 }: DCRLossOptions = {}): DCRLosses {
  const { predictions, augmented, target } = inputs;
  const [n, m, ...image] = predictions.shape;
  const single = String([n, ...image]);
  if (predictions.rank !== 5 || n !== m || String(augmented.shape) !== single || String(target.shape) !== single) {
    throw new Error(
      `dcrLoss: expected predictions [N, N, h, w, c] with augmented and target [N, h, w, c], ` +
        `got [${predictions.shape}], [${augmented.shape}] and [${target.shape}]`,
    );
  }
  if (n < 2) throw new Error("dcrLoss: a batch of one has no negatives; N must be at least 2, got 1");
  if (!(temperature > 0)) throw new Error(`dcrLoss: temperature must be positive, got ${temperature}`);
  return tf.tidy(() => {
    const diagonal = tf.eye(n);
    const pairs = normalizeLast(tf.reshape(predictions, [n, n, -1]));
    const anchors = tf.sum(tf.mul(pairs, tf.expandDims(diagonal, 2)), 1);
    const score = (x: tf.Tensor) =>
      tf.div(tf.sum(tf.mul(normalizeLast(tf.reshape(x, [n, -1])), anchors), 1), temperature);
    const toAugmented = score(augmented);
    const toTarget = score(target);
    const toOthers = tf.div(tf.sum(tf.mul(pairs, tf.expandDims(anchors, 1)), 2), temperature);
    const negatives = tf.sub(toOthers, tf.mul(diagonal, 1e9));
    const candidates = tf.concat([tf.expandDims(toAugmented, 1), tf.expandDims(toTarget, 1), negatives], 1);
    const total = tf.logSumExp(candidates, 1);
    return { augmented: tf.sub(total, toAugmented), target: tf.sub(total, toTarget) };
  }) as unknown as DCRLosses;
}

/** The DCR loss, `mean_i (L_i(A+_i) + L_i(G_i)) / 2`; see {@link dcrLossTerms}. */
export function dcrLoss(inputs: DCRPredictions, options: DCRLossOptions = {}): tf.Scalar {
  return tf.tidy(() => {
    const { augmented, target } = dcrLossTerms(inputs, options);
    return tf.mean(tf.mul(tf.add(augmented, target), 0.5)) as tf.Scalar;
  });
}

const normalizeLast = (x: tf.Tensor) =>
  tf.mul(x, tf.rsqrt(tf.maximum(tf.sum(tf.square(x), -1, true), 1e-24)));
