import * as tf from "@tensorflow/tfjs-core";
import { checkFloatTensors } from "./check-float-tensors.js";
import { defineComposite, runFused } from "./fused-kernel.js";

/**
 * Which Gaussian error linear unit: `"erf"` is exact (Hugging Face's `gelu`), `"tanh"` its approximation
 * (`gelu_new`, `gelu_pytorch_tanh`), `"quick"` is `x * sigmoid(1.702 x)` (`quick_gelu`, OpenAI CLIP).
 */
export type GeluVariant = "erf" | "tanh" | "quick";

/**
 * Gaussian error linear unit (Hendrycks & Gimpel 2016), `x * Phi(x)` elementwise.
 *
 * @param x any shape. @returns the same shape; the caller disposes it. First-order gradients only.
 */
export function gelu<T extends tf.Tensor>(x: T, variant: GeluVariant = "erf"): T {
  checkFloatTensors("gelu", { x });
  if (!Object.hasOwn(curves, variant)) {
    throw new Error(`gelu: variant must be "erf", "tanh" or "quick", got ${JSON.stringify(variant)}`);
  }
  return runFused<T>("Gelu", { x }, { variant });
}

/** `x * sigmoid(x)` elementwise, also known as swish; the caller disposes it. First-order gradients only. */
export function silu<T extends tf.Tensor>(x: T): T {
  checkFloatTensors("silu", { x });
  return runFused<T>("Silu", { x }, {});
}

interface Curve {
  value: (x: tf.Tensor) => tf.Tensor;
  slope: (x: tf.Tensor) => tf.Tensor;
}

const sigmoidGated = (rate: number): Curve => ({
  value: (x) => tf.mul(x, tf.sigmoid(tf.mul(x, rate))),
  slope: (x) => {
    const gate = tf.sigmoid(tf.mul(x, rate));
    return tf.mul(gate, tf.add(1, tf.mul(tf.mul(x, rate), tf.sub(1, gate))));
  },
});

const tanhArgument = (x: tf.Tensor) =>
  tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x)))));

const curves: Record<GeluVariant, Curve> = {
  erf: {
    value: (x) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2)))),
    slope: (x) => {
      const density = tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return tf.add(tf.mul(0.5, tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2)))), tf.mul(x, density));
    },
  },
  tanh: {
    value: (x) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(tanhArgument(x)))),
    slope: (x) => {
      const t = tf.tanh(tanhArgument(x));
      const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(1, tf.mul(3 * 0.044715, tf.square(x))));
      return tf.mul(0.5, tf.add(tf.add(1, t), tf.mul(x, tf.mul(tf.sub(1, tf.square(t)), inner))));
    },
  },
  quick: sigmoidGated(1.702),
};

const swish = sigmoidGated(1);

/** Further out the slope is 0 or 1, and products of infinity and 0 would make it NaN. */
const slopeAt = (curve: Curve, x: tf.Tensor) => curve.slope(tf.clipByValue(x, -120, 120));

defineComposite({
  kernelName: "Gelu",
  compute: ({ x }, { variant }) => curves[variant as GeluVariant].value(x),
});
defineComposite({
  kernelName: "GeluGrad",
  gradientOf: "Gelu",
  compute: ({ x, dy }, { variant }) => tf.mul(dy, slopeAt(curves[variant as GeluVariant], x)),
});
defineComposite({ kernelName: "Silu", compute: ({ x }) => swish.value(x) });
defineComposite({
  kernelName: "SiluGrad",
  gradientOf: "Silu",
  compute: ({ x, dy }) => tf.mul(dy, slopeAt(swish, x)),
});

for (const kernelName of ["Gelu", "Silu"]) {
  tf.registerGradient({
    kernelName,
    inputsToSave: ["x"],
    gradFunc: (dy, [x], attrs) => ({
      x: () =>
        runFused<tf.Tensor>(
          `${kernelName}Grad`,
          { x, dy: dy as tf.Tensor },
          attrs as Record<string, unknown>,
        ),
    }),
  });
}
