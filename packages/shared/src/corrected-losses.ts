import * as tf from "@tensorflow/tfjs-core";

/**
 * `tf.losses.sigmoidCrossEntropy`, max(x, 0) - x z + log(1 + exp(-|x|)), of ops whose gradients add up to sigmoid(x) - z at x = 0 too:
 * tfjs-core's is made of relu and abs, whose gradients are 0 there.
 */
function sigmoidCrossEntropy<T extends tf.Tensor, O extends tf.Tensor>(
  multiClassLabels: T | tf.TensorLike,
  logits: T | tf.TensorLike,
  weights?: tf.Tensor | tf.TensorLike,
  labelSmoothing = 0,
  reduction = tf.Reduction.SUM_BY_NONZERO_WEIGHTS,
): O {
  return tf.tidy(() => {
    const [given, x] = [multiClassLabels, logits].map((value) =>
      value instanceof tf.Tensor ? value : tf.tensor(value),
    ) as [tf.Tensor, tf.Tensor];
    tf.util.assertShapesMatch(given.shape, x.shape, "Error in sigmoidCrossEntropy: ");
    const labels =
      labelSmoothing > 0 ? tf.add(tf.mul(given, 1 - labelSmoothing), 0.5 * labelSmoothing) : given;
    const isPositive = tf.greaterEqual(x, 0);
    const positive = tf.where(isPositive, x, tf.zerosLike(x));
    const negative = tf.where(isPositive, tf.neg(x), x);
    const losses = tf.add(tf.sub(positive, tf.mul(x, labels)), tf.log1p(tf.exp(negative)));
    return tf.losses.computeWeightedLoss(losses, weights, reduction) as O;
  });
}

/** Puts losses of ours in the place of tfjs-core's whose gradients are wrong. */
export function correctLosses(): void {
  tf.losses.sigmoidCrossEntropy = sigmoidCrossEntropy;
}
