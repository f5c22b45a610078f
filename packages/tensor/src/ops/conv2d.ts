import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { checkFloatTensors } from "./check-float-tensors.js";
import { conv2dAndSum, matMulAndSum } from "./product-and-sum.js";

/** Zeros around an image: the same on every side, or `[[top, bottom], [left, right]]`. */
export type Padding = number | readonly [readonly [number, number], readonly [number, number]];

/** Checks a padding. @throws naming the argument and what came */
export function checkPadding(name: string, padding: unknown): void {
  const range = { min: 0, integer: true };
  if (typeof padding === "number") {
    checkNumber(name, padding, range);
    return;
  }
  const isPair = (value: unknown) => Array.isArray(value) && value.length === 2;
  if (!isPair(padding) || !(padding as unknown[]).every(isPair)) {
    throw new TypeError(
      `${name} must be a number or [[top, bottom], [left, right]], got ${JSON.stringify(padding) ?? describe(padding)}`,
    );
  }
  for (const p of (padding as unknown[]).flat()) checkNumber(name, p, range);
}

export interface Conv2dOptions {
  /** Default 1. */
  stride?: number;
  /** Default 0. */
  padding?: Padding;
  /** A term that is added in the same pass: `[batch, height', width', out]`, or `[batch, 1, 1, out]` for every place alike. */
  residual?: tf.Tensor4D;
}

/**
 * 2-D convolution (cross-correlation, as in every deep-learning library).
 *
 * @param x `[batch, height, width, in]`.
 * @param weight `[kernelHeight, kernelWidth, in, out]`.
 * @param bias `[out]`, or null for none.
 * @returns `[batch, height', width', out]`; the caller disposes it.
 */
export function conv2d(
  x: tf.Tensor4D,
  weight: tf.Tensor4D,
  bias?: tf.Tensor1D | null,
  options: Conv2dOptions = {},
): tf.Tensor4D {
  const names = { stride: true, padding: true, residual: true } as const;
  const { stride = 1, padding = 0, residual } = checkOptions("conv2d", options, names);
  checkNumber("conv2d: stride", stride, { min: 1, integer: true });
  checkPadding("conv2d: padding", padding);
  checkFloatTensors("conv2d", { x, weight }, { bias, residual });
  const [kernelHeight, kernelWidth, inChannels, outChannels] = weight.shape;
  if (x.rank !== 4 || x.shape[3] !== inChannels) {
    throw new Error(
      `conv2d: x must be [batch, height, width, ${inChannels}] for weight [${weight.shape}], got [${x.shape}]`,
    );
  }
  const alike = (n: number): readonly [number, number] => [n, n];
  const [rows, columns] = typeof padding === "number" ? [alike(padding), alike(padding)] : padding;
  const places = (axis: number, [before, after]: readonly [number, number]) =>
    Math.floor((x.shape[axis] + before + after - weight.shape[axis - 1]) / stride) + 1;
  const shape: tf.Tensor4D["shape"] = [x.shape[0], places(1, rows), places(2, columns), outChannels];
  if (shape[1] < 1 || shape[2] < 1) {
    throw new Error(
      `conv2d: the kernel of ${kernelHeight} x ${kernelWidth} must fit into x [${x.shape}] with padding ${JSON.stringify(padding)}`,
    );
  }
  const everywhere = [shape[0], 1, 1, outChannels];
  if (residual && ![shape, everywhere].some((other) => tf.util.arraysEqual(residual.shape, other))) {
    throw new Error(`conv2d: residual must be [${shape}] or [${everywhere}], got [${residual.shape}]`);
  }
  if (bias && (bias.rank !== 1 || bias.shape[0] !== outChannels)) {
    throw new Error(`conv2d: bias must have shape [${outChannels}], got [${bias.shape}]`);
  }
  return tf.tidy(() => {
    const pointwise =
      kernelHeight * kernelWidth === 1 &&
      stride === 1 &&
      rows.every((p) => p === 0) &&
      columns.every((p) => p === 0);
    if (pointwise) {
      const product = matMulAndSum(
        tf.reshape(x, [-1, inChannels]) as tf.Tensor2D,
        tf.reshape(weight, [inChannels, outChannels]) as tf.Tensor2D,
        false,
        { bias, residual },
      );
      return tf.reshape(product, shape);
    }
    const pad: tf.backend_util.ExplicitPadding = [[0, 0], [...rows], [...columns], [0, 0]];
    return conv2dAndSum(x, weight, { strides: stride, pad }, { bias, residual });
  });
}
