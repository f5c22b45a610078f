import * as tf from "@tensorflow/tfjs-core";

/**
 * Sums the slices of each segment, on every backend and in time in proportion to `x`. tfjs's WebAssembly backend has no `unsortedSegmentSum`,
 * and there `scatterND` adds up what has one place. tfjs's CPU backend multiplies all of `x` by 0 and 1 for each segment and keeps the products:
 * hours and gigabytes for the pairs of 256 rows, and NaN in every segment for one infinity.
 *
 * @param x `[k, ...]`. @param ids `[k]`, int32 in `0..count-1`.
 * @returns `[count, ...]`; the caller disposes it
 */
export function segmentSum(x: tf.Tensor, ids: tf.Tensor1D, count: number): tf.Tensor {
  const backend = tf.getBackend();
  const shape = [count, ...x.shape.slice(1)];
  // scatterND refuses tensors without elements.
  if (x.size === 0 || count === 0) return tf.zeros(shape, x.dtype as "float32");
  if (backend === "cpu" && x.dtype === "float32") return sumOnHost(x, ids, shape);
  if (tf.getKernel("UnsortedSegmentSum", backend)) return tf.unsortedSegmentSum(x, ids, count);
  return tf.tidy(() => tf.scatterND(tf.expandDims(ids, 1), x, shape as never));
}

/** {@link segmentSum} where the numbers are on the host already, in float64. */
function sumOnHost(x: tf.Tensor, ids: tf.Tensor1D, shape: number[]): tf.Tensor {
  const sum = tf.customGrad((...args: unknown[]) => {
    const [given, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([ids]);
    const [values, places] = [given.dataSync(), ids.dataSync()];
    const width = values.length / places.length;
    const sums = new Float64Array(tf.util.sizeFromShape(shape));
    for (let i = 0, from = 0; i < places.length; i++) {
      for (let j = 0, to = places[i]! * width; j < width; j++) sums[to++] += values[from++]!;
    }
    return {
      value: tf.tensor(Float32Array.from(sums), shape),
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.gather(dy, saved as tf.Tensor1D),
    };
  });
  return sum(x);
}
