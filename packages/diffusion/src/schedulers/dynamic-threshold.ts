import * as tf from "@tensorflow/tfjs-core";

/**
 * Dynamic thresholding (Saharia et al. 2022, section 2.3): clips each image to `[-s, s]` and divides it by `s`, where `s` is a
 * quantile of its absolute values, at least 1 and at most `max`. The quantile is interpolated as `torch.quantile` does.
 *
 * @param x `[batch, height, width, channels]`.
 * @param options ratio: the quantile, 0 to 1.
 * @returns the same shape; the caller disposes it.
 */
export function dynamicThreshold(
  x: tf.Tensor4D,
  { ratio, max }: { ratio: number; max: number },
): tf.Tensor4D {
  return tf.tidy(() => {
    const batch = x.shape[0];
    const absolute = tf.abs(tf.reshape(x, [batch, -1]));
    const count = absolute.shape[1]!;
    const place = ratio * (count - 1);
    const low = Math.floor(place);
    // The values from the quantile on, largest first: the last is that below the quantile.
    const { values } = tf.topk(absolute, count - low, true);
    const at = (rank: number) => tf.slice(values, [0, count - 1 - rank], [batch, 1]);
    const [below, above] = [at(low), at(Math.min(low + 1, count - 1))];
    const quantile = tf.add(below, tf.mul(tf.sub(above, below), place - low));
    const s = tf.reshape(tf.minimum(tf.maximum(quantile, 1), max), [batch, 1, 1, 1]);
    return tf.div(tf.maximum(tf.minimum(x, s), tf.neg(s)), s);
  });
}
