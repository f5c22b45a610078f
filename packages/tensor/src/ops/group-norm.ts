import * as tf from "@tensorflow/tfjs-core";
import { checkChoice, checkNumber, checkOptions } from "../shared/check-options.js";
import { centre, reciprocalDeviation } from "./centre.js";
import { checkFloatTensors } from "./check-float-tensors.js";
import { defineComposite, runFused } from "./fused-kernel.js";

export interface GroupNormOptions {
  /** Number of groups; channels must be a multiple of it. */
  groups: number;
  /** Default 1e-5. */
  epsilon?: number;
  /** `"silu"` applies `y * sigmoid(y)` in the same pass. */
  activation?: "silu";
}

/**
 * Group normalisation (Wu & He 2018, eq. 1) of NHWC images, optionally followed by SiLU in the same pass.
 *
 * @param x `[batch, height, width, channels]`.
 * @param weight `[channels]`.
 * @param bias `[channels]`.
 * @returns shaped as `x`; the caller disposes it. First-order gradients only.
 */
export function groupNorm(
  x: tf.Tensor4D,
  weight: tf.Tensor1D,
  bias: tf.Tensor1D,
  options: GroupNormOptions,
): tf.Tensor4D {
  const names = { groups: true, epsilon: true, activation: true } as const;
  const { groups, epsilon = 1e-5, activation } = checkOptions("groupNorm", options, names);
  checkNumber("groupNorm: groups", groups, { min: 1, integer: true });
  checkNumber("groupNorm: epsilon", epsilon, { min: 0 });
  if (activation !== undefined) checkChoice("groupNorm: activation", activation, ["silu"]);
  checkFloatTensors("groupNorm", { x, weight, bias });
  const channels = x.shape[3];
  if (x.rank !== 4 || channels % groups !== 0) {
    throw new Error(`groupNorm: x must be [batch, height, width, multiple of ${groups}], got [${x.shape}]`);
  }
  if ([weight, bias].some(({ shape }) => shape.length !== 1 || shape[0] !== channels)) {
    throw new Error(
      `groupNorm: weight and bias must have shape [${channels}], got [${weight.shape}] and [${bias.shape}]`,
    );
  }
  const attrs = { groups, epsilon, silu: activation === "silu" };
  return tf.tidy(() => runFused<tf.Tensor4D[]>("GroupNorm", { x, weight, bias }, attrs)[0]);
}

interface Attributes {
  groups: number;
  epsilon: number;
  silu: boolean;
}

/** `[B, H, W, C]` to `[B, H*W, groups, C/groups]`. */
function byGroup(x: tf.Tensor, groups: number): tf.Tensor4D {
  const [batch, height, width, channels] = x.shape as number[];
  return tf.reshape(x, [batch, height * width, groups, channels / groups]);
}

/** `[B, groups]` to `[B, 1, groups, 1]`. */
const spread = (x: tf.Tensor) => tf.expandDims(tf.expandDims(x, 1), 3);

/** Outputs: y, and for the backward pass mean (a backend may hand it on in another form) and 1/sqrt(var + epsilon), `[batch, groups]`. */
defineComposite({
  kernelName: "GroupNorm",
  compute: ({ x, weight, bias }, attrs) => {
    const { groups, epsilon, silu } = attrs as unknown as Attributes;
    const grouped = byGroup(x, groups);
    const mean = tf.mean(grouped, [1, 3], true);
    const centred = centre(grouped, mean, [1, 3]);
    const rstd = reciprocalDeviation(centred, epsilon, [1, 3]);
    const normalised = tf.reshape(tf.mul(centred, rstd), x.shape);
    const affine = tf.add(tf.mul(normalised, weight), bias);
    const y = silu ? tf.mul(affine, tf.sigmoid(affine)) : affine;
    return [y, tf.reshape(mean, [-1, groups]), tf.reshape(rstd, [-1, groups])];
  },
});

/** The normalised input and the gradient at the affine map's output. */
function backward({ x, weight, bias, mean, rstd, dy }: tf.NamedTensorMap, { groups, silu }: Attributes) {
  const centred = centre(byGroup(x, groups), spread(mean), [1, 3]);
  const normalised = tf.reshape(tf.mul(centred, spread(rstd)), x.shape);
  if (!silu) return { normalised, dAffine: dy };
  const affine = tf.add(tf.mul(normalised, weight), bias);
  const gate = tf.sigmoid(affine);
  return { normalised, dAffine: tf.mul(dy, tf.mul(gate, tf.add(1, tf.mul(affine, tf.sub(1, gate))))) };
}

defineComposite({
  kernelName: "GroupNormGradInput",
  gradientOf: "GroupNorm",
  compute: (inputs, attrs) => {
    const attributes = attrs as unknown as Attributes;
    const { normalised, dAffine } = backward(inputs, attributes);
    const n = byGroup(normalised, attributes.groups);
    const g = byGroup(tf.mul(dAffine, inputs.weight), attributes.groups);
    const centred = tf.sub(
      tf.sub(g, tf.mean(g, [1, 3], true)),
      tf.mul(n, tf.mean(tf.mul(g, n), [1, 3], true)),
    );
    return tf.reshape(tf.mul(centred, spread(inputs.rstd)), inputs.x.shape);
  },
});

defineComposite({
  kernelName: "GroupNormGradWeight",
  gradientOf: "GroupNorm",
  compute: (inputs, attrs) => {
    const { normalised, dAffine } = backward(inputs, attrs as unknown as Attributes);
    return tf.sum(tf.mul(normalised, dAffine), [0, 1, 2]);
  },
});

defineComposite({
  kernelName: "GroupNormGradBias",
  gradientOf: "GroupNorm",
  compute: (inputs, attrs) => tf.sum(backward(inputs, attrs as unknown as Attributes).dAffine, [0, 1, 2]),
});

tf.registerGradient({
  kernelName: "GroupNorm",
  inputsToSave: ["x", "weight", "bias"],
  outputsToSave: [false, true, true],
  gradFunc: (dys, saved, attrs) => {
    const dy = (Array.isArray(dys) ? dys[0] : dys) as tf.Tensor;
    const [x, weight, bias, mean, rstd] = saved;
    const inputs = { x, weight, bias, mean, rstd, dy };
    const run = (kernel: string) => () =>
      runFused<tf.Tensor>(`GroupNormGrad${kernel}`, inputs, attrs as Record<string, unknown>);
    return { x: run("Input"), weight: run("Weight"), bias: run("Bias") };
  },
});
