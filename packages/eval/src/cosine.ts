import * as tf from "@tensorflow/tfjs-core";

/**
 * Cosine similarity of all rows of `a` with all rows of `b`, on the host; 0 where one is zero.
 *
 * @throws on shapes that do not agree, and on features that are not finite: NaN loses every comparison, so that nothing
 *   would stand before a right answer that has it.
 */
export async function cosineMatrix(a: tf.Tensor2D, b: tf.Tensor2D): Promise<Float32Array[]> {
  if (a.rank !== 2 || b.rank !== 2 || a.shape[1] !== b.shape[1]) {
    throw new Error(`expected features [n, dim] and [m, dim], got [${a.shape}] and [${b.shape}]`);
  }
  const product = tf.tidy(() => {
    const unit = (x: tf.Tensor2D) => tf.mul(x, tf.rsqrt(tf.maximum(tf.sum(tf.square(x), 1, true), 1e-12)));
    return tf.matMul(unit(a) as tf.Tensor2D, unit(b) as tf.Tensor2D, false, true);
  });
  const flat = (await product.data()) as Float32Array;
  product.dispose();
  const bad = flat.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const [i, j] = [Math.floor(bad / b.shape[0]), bad % b.shape[0]];
    throw new Error(`features must be finite; the similarity of rows ${i} and ${j} is ${flat[bad]}`);
  }
  const width = b.shape[0];
  return Array.from({ length: a.shape[0] }, (_, i) => flat.subarray(i * width, (i + 1) * width));
}
