import * as tf from "@tensorflow/tfjs-core";
import { checkFloatTensors } from "./check-float-tensors.js";
import { defineComposite, runFused } from "./fused-kernel.js";

/**
 * Repeats every pixel `factor` times in both directions.
 *
 * @param x `[batch, height, width, channels]`.
 * @returns `[batch, height * factor, width * factor, channels]`; the caller disposes it.
 */
export function upsampleNearest2d(x: tf.Tensor4D, factor = 2): tf.Tensor4D {
  if (!Number.isInteger(factor) || factor < 1) {
    throw new Error(`upsampleNearest2d: factor must be a positive integer, got ${factor}`);
  }
  checkFloatTensors("upsampleNearest2d", { x });
  if (x.rank !== 4) {
    throw new Error(`upsampleNearest2d: x must be [batch, height, width, channels], got [${x.shape}]`);
  }
  return runFused<tf.Tensor4D>("UpsampleNearest2d", { x }, { factor });
}

defineComposite({
  kernelName: "UpsampleNearest2d",
  compute: ({ x }, { factor }) => {
    const [batch, height, width, channels] = x.shape as number[];
    const f = factor as number;
    const wide = tf.tile(tf.reshape(x, [batch * height, width, 1, channels]), [1, 1, f, 1]);
    const tall = tf.tile(tf.reshape(wide, [batch, height, 1, width * f * channels]), [1, 1, f, 1]);
    return tf.reshape(tall, [batch, height * f, width * f, channels]);
  },
});

defineComposite({
  kernelName: "UpsampleNearest2dGrad",
  gradientOf: "UpsampleNearest2d",
  compute: ({ dy }, { factor }) => {
    const [batch, height, width, channels] = dy.shape;
    const f = factor as number;
    const rows = tf.sum(tf.reshape(dy, [batch, height / f, f, width * channels]), 2);
    const both = tf.sum(tf.reshape(rows, [(batch * height) / f, width / f, f, channels]), 2);
    return tf.reshape(both, [batch, height / f, width / f, channels]);
  },
});

tf.registerGradient({
  kernelName: "UpsampleNearest2d",
  gradFunc: (dy, _saved, attrs) => ({
    x: () =>
      runFused<tf.Tensor>("UpsampleNearest2dGrad", { dy: dy as tf.Tensor }, attrs as Record<string, unknown>),
  }),
});
