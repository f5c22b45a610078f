import type { Conv2d } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/** The geometry of a vision transformer's input. */
export interface PatchGeometry {
  image_size: number;
  patch_size: number;
  num_channels: number;
  hidden_size: number;
}

/** How many patches a side of the image has; pixels beyond the last whole patch are not seen. */
export function gridSize({ image_size, patch_size }: PatchGeometry): number {
  return Math.floor(image_size / patch_size);
}

/**
 * Embeds an image's patches (Dosovitskiy et al. 2021, equation 1).
 *
 * @param caller whose input it is, for the error
 * @param pixels `[batch, image_size, image_size, num_channels]`
 * @param convolution its kernel and stride are the patch
 * @returns `[batch, patches, hidden_size]`, row by row
 */
export function embedPatches(
  caller: string,
  pixels: tf.Tensor4D,
  convolution: Conv2d,
  geometry: PatchGeometry,
): tf.Tensor3D {
  const { image_size: size, patch_size: patch, num_channels: channels, hidden_size: width } = geometry;
  const [batch] = pixels.shape;
  if (String(pixels.shape) !== String([batch, size, size, channels])) {
    throw new Error(
      `${caller}: pixels must be [batch, ${size}, ${size}, ${channels}] (normalised, channels last), got [${pixels.shape}]`,
    );
  }
  const grid = gridSize(geometry);
  return tf.tidy(() => {
    const used = grid * patch;
    const covered = used === size ? pixels : tf.slice(pixels, [0, 0, 0, 0], [batch, used, used, channels]);
    // A convolution whose stride is its kernel is one matrix product over the patches.
    const rows = tf.reshape(covered, [batch, grid, patch, grid, patch * channels]);
    const patches = tf.reshape(tf.transpose(rows, [0, 1, 3, 2, 4]), [
      batch * grid * grid,
      patch * patch * channels,
    ]) as tf.Tensor2D;
    const kernel = tf.reshape(convolution.weight.value, [patch * patch * channels, width]);
    const product = tf.matMul(patches, kernel as tf.Tensor2D);
    const embedded = convolution.bias ? tf.add(product, convolution.bias.value) : product;
    return tf.reshape(embedded, [batch, grid * grid, width]);
  });
}
