import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { centre, reciprocalDeviation } from "./centre.js";
import { checkFloatTensors } from "./check-float-tensors.js";
import { defineComposite, runFused } from "./fused-kernel.js";

export interface LayerNormOptions {
  /** Default 1e-5. */
  epsilon?: number;
}

/**
 * Layer normalisation over the last axis, `(x - mean) / sqrt(var + epsilon) * weight + bias`
 * (Ba et al. 2016, eq. 4; the biased variance, as PyTorch's).
 *
 * @param x `[..., dim]`.
 * @param weight `[dim]`, or null for ones.
 * @param bias `[dim]`, or null for zeros.
 * @returns shaped as `x`; the caller disposes it. First-order gradients only.
 */
export function layerNorm<T extends tf.Tensor>(
  x: T,
  weight: tf.Tensor1D | null,
  bias: tf.Tensor1D | null,
  options?: LayerNormOptions,
): T {
  const { epsilon = 1e-5 } = checkOptions("layerNorm", options, { epsilon: true });
  checkNumber("layerNorm: epsilon", epsilon, { min: 0 });
  checkFloatTensors("layerNorm", { x }, { weight, bias });
  const dim = x.shape[x.rank - 1];
  for (const [name, tensor] of Object.entries({ weight, bias })) {
    if (tensor && (tensor.rank !== 1 || tensor.shape[0] !== dim)) {
      throw new Error(
        `layerNorm: ${name} must have shape [${dim}] for x [${x.shape}], got [${tensor.shape}]`,
      );
    }
  }
  return tf.tidy(() => {
    const inputs = { x, weight: weight ?? tf.ones([dim]), bias: bias ?? tf.zeros([dim]) };
    return runFused<tf.Tensor[]>("LayerNorm", inputs, { epsilon })[0] as T;
  });
}

/** Rows of the last axis: `[rows, dim]`. */
const rows = (x: tf.Tensor) => tf.reshape(x, [-1, x.shape[x.rank - 1]]) as tf.Tensor2D;

/**
 * Outputs: y, and for the backward pass mean and 1/sqrt(var + epsilon) of each row, `[rows]`. A backend's own kernels may hand on the
 * mean in another form.
 */
defineComposite({
  kernelName: "LayerNorm",
  compute: ({ x, weight, bias }, { epsilon }) => {
    const flat = rows(x);
    const mean = tf.mean(flat, 1, true);
    const centred = centre(flat, mean, 1);
    const rstd = reciprocalDeviation(centred, epsilon as number, 1);
    const normalised = tf.mul(centred, rstd);
    const y = tf.reshape(tf.add(tf.mul(normalised, weight), bias), x.shape);
    return [y, tf.reshape(mean, [-1]), tf.reshape(rstd, [-1])];
  },
});

const normalise = ({ x, mean, rstd }: tf.NamedTensorMap) =>
  tf.mul(centre(rows(x), tf.expandDims(mean, 1), 1), tf.expandDims(rstd, 1));

defineComposite({
  kernelName: "LayerNormGradInput",
  gradientOf: "LayerNorm",
  compute: (inputs) => {
    const normalised = normalise(inputs);
    const g = tf.mul(rows(inputs.dy), inputs.weight);
    const centred = tf.sub(
      tf.sub(g, tf.mean(g, 1, true)),
      tf.mul(normalised, tf.mean(tf.mul(g, normalised), 1, true)),
    );
    return tf.reshape(tf.mul(centred, tf.expandDims(inputs.rstd, 1)), inputs.x.shape);
  },
});

defineComposite({
  kernelName: "LayerNormGradWeight",
  gradientOf: "LayerNorm",
  compute: (inputs) => tf.sum(tf.mul(rows(inputs.dy), normalise(inputs)), 0),
});

tf.registerGradient({
  kernelName: "LayerNorm",
  inputsToSave: ["x", "weight"],
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved) => {
    const dy = (Array.isArray(dys) ? dys[0] : dys) as tf.Tensor;
    const [x, weight, mean, rstd] = saved;
    return {
      x: () => runFused<tf.Tensor>("LayerNormGradInput", { x, weight, mean, rstd, dy }, {}),
      weight: () => runFused<tf.Tensor>("LayerNormGradWeight", { x, mean, rstd, dy }, {}),
      bias: () => tf.sum(rows(dy), 0),
    };
  },
});
