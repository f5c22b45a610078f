import * as tf from "@tensorflow/tfjs-core";
import { gelu } from "./activation.js";
import { checkFloatTensors } from "./check-float-tensors.js";
import { defineComposite, runFused } from "./fused-kernel.js";

/**
 * `hidden * gelu(gate)`, where `hidden` and `gate` are the halves of the last axis (GEGLU; Shazeer 2020, eq. 6), with the exact
 * GELU.
 *
 * @param x `[..., 2 * width]`. @returns `[..., width]`; the caller disposes it. First-order gradients only.
 */
export function geglu<T extends tf.Tensor>(x: T): T {
  checkFloatTensors("geglu", { x });
  const last = x.shape[x.rank - 1];
  if (last === undefined || last % 2 !== 0) {
    throw new Error(`geglu: x must end in two halves of one width, got [${x.shape}]`);
  }
  return runFused<T>("Geglu", { x }, {});
}

defineComposite({
  kernelName: "Geglu",
  compute: ({ x }) => {
    const [hidden, gate] = tf.split(x, 2, -1);
    return tf.mul(hidden, gelu(gate));
  },
});
defineComposite({
  kernelName: "GegluGrad",
  gradientOf: "Geglu",
  compute: ({ x, dy }) => {
    const [hidden, gate] = tf.split(x, 2, -1);
    const dGelu = tf.mul(dy, hidden);
    const dGate = runFused<tf.Tensor>("GeluGrad", { x: gate, dy: dGelu }, { variant: "erf" });
    return tf.concat([tf.mul(dy, gelu(gate)), dGate], -1);
  },
});

tf.registerGradient({
  kernelName: "Geglu",
  inputsToSave: ["x"],
  gradFunc: (dy, [x]) => ({ x: () => runFused<tf.Tensor>("GegluGrad", { x, dy: dy as tf.Tensor }, {}) }),
});
