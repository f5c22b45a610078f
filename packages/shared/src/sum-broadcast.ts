import * as tf from "@tensorflow/tfjs-core";

/** Sums over the axes along which an operand of this shape was broadcast. */
export function sumBroadcast(dx: tf.Tensor, shape: number[]): tf.Tensor {
  if (tf.util.arraysEqual(dx.shape, shape)) return dx;
  const axes = tf.broadcast_util.getReductionAxes(shape, dx.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(dx, axes) : dx, shape);
}
