import * as tf from "@tensorflow/tfjs-core";

/**
 * Sums the slices of each segment, on every backend: tfjs's WebAssembly backend has no `unsortedSegmentSum`, and there `scatterND` adds up
 * what has one place.
 *
 * @param x `[k, ...]`. @param ids `[k]`, int32 in `0..count-1`.
 * @returns `[count, ...]`; the caller disposes it
 */
export function segmentSum(x: tf.Tensor, ids: tf.Tensor1D, count: number): tf.Tensor {
  if (tf.getKernel("UnsortedSegmentSum", tf.getBackend())) return tf.unsortedSegmentSum(x, ids, count);
  const shape = [count, ...x.shape.slice(1)];
  // scatterND refuses tensors without elements.
  if (x.size === 0 || count === 0) return tf.zeros(shape, x.dtype as "float32");
  return tf.tidy(() => tf.scatterND(tf.expandDims(ids, 1), x, shape as never));
}
