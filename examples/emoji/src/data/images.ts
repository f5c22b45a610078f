import * as tf from "@tensorflow/tfjs-core";

/** Width and height of every image of the example. */
export const IMAGE_SIZE = 32;
/** Bytes of one image: RGB, row by row, channels last. */
export const IMAGE_BYTES = IMAGE_SIZE * IMAGE_SIZE * 3;

/**
 * One image on the host.
 *
 * @param images `[n, 32, 32, 3]` bytes
 * @returns `32 * 32 * 3` values in [0, 1]; a copy
 */
export function imageAt(images: Uint8Array, index: number): Float32Array {
  const count = images.length / IMAGE_BYTES;
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new Error(`imageAt: index must be an integer in [0, ${count}), got ${index}`);
  }
  const start = index * IMAGE_BYTES;
  return Float32Array.from(images.subarray(start, start + IMAGE_BYTES), (value) => value / 255);
}

/**
 * Images as a tensor.
 *
 * @param images `[n, 32, 32, 3]` bytes
 * @param indices which ones, in this order
 * @returns `[indices.length, 32, 32, 3]` in [0, 1]; the caller disposes it
 */
export function imageTensor(images: Uint8Array, indices: ArrayLike<number>): tf.Tensor4D {
  const values = new Float32Array(indices.length * IMAGE_BYTES);
  for (let i = 0; i < indices.length; i++) values.set(imageAt(images, indices[i]), i * IMAGE_BYTES);
  return tf.tensor4d(values, [indices.length, IMAGE_SIZE, IMAGE_SIZE, 3]);
}
