import * as tf from "@tensorflow/tfjs-core";

/** Sums over the axes along which an operand of this shape was broadcast, to none too. */
export function sumBroadcast(dx: tf.Tensor, shape: number[]): tf.Tensor {
  if (tf.util.arraysEqual(dx.shape, shape)) return dx;
  const added = dx.rank - shape.length;
  const axes = [...dx.shape.keys()].filter((axis) => axis < added || shape[axis - added] !== dx.shape[axis]);
  return tf.reshape(axes.length > 0 ? tf.sum(dx, axes) : dx, shape);
}
