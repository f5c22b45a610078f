import * as tf from "@tensorflow/tfjs-core";

/** Zeros around an image: the same on every side, or `[[top, bottom], [left, right]]`. */
export type Padding = number | readonly [readonly [number, number], readonly [number, number]];

export interface Conv2dOptions {
  /** Default 1. */
  stride?: number;
  /** Default 0. */
  padding?: Padding;
}

/**
 * 2-D convolution (cross-correlation, as in every deep-learning library).
 *
 * @param x `[batch, height, width, in]`.
 * @param weight `[kernelHeight, kernelWidth, in, out]`.
 * @param bias `[out]`, or null for none.
 * @returns `[batch, height', width', out]`.
 */
export function conv2d(
  x: tf.Tensor4D,
  weight: tf.Tensor4D,
  bias?: tf.Tensor1D | null,
  options: Conv2dOptions = {},
): tf.Tensor4D {
  const { stride = 1, padding = 0 } = options;
  const [kernelHeight, kernelWidth, inChannels, outChannels] = weight.shape;
  if (x.rank !== 4 || x.shape[3] !== inChannels) {
    throw new Error(
      `conv2d: x must be [batch, height, width, ${inChannels}] for weight [${weight.shape}], got [${x.shape}]`,
    );
  }
  const [rows, columns] =
    typeof padding === "number"
      ? [
          [padding, padding],
          [padding, padding],
        ]
      : padding;
  return tf.tidy(() => {
    const pointwise =
      kernelHeight * kernelWidth === 1 &&
      stride === 1 &&
      rows.every((p) => p === 0) &&
      columns.every((p) => p === 0);
    const product = pointwise
      ? (tf.reshape(
          tf.matMul(
            tf.reshape(x, [-1, inChannels]) as tf.Tensor2D,
            tf.reshape(weight, [inChannels, outChannels]) as tf.Tensor2D,
          ),
          [x.shape[0], x.shape[1], x.shape[2], outChannels],
        ) as tf.Tensor4D)
      : tf.conv2d(x, weight, stride, [
          [0, 0],
          [...rows],
          [...columns],
          [0, 0],
        ] as tf.backend_util.ExplicitPadding);
    return (bias ? tf.add(product, bias) : product) as tf.Tensor4D;
  });
}
