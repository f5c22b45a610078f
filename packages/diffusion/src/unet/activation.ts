import { gelu, silu } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/** The activation functions of diffusers' time embeddings. */
export const activationNames = ["silu", "gelu", "mish", "relu"] as const;
export type ActivationName = (typeof activationNames)[number];

/** Applies an activation function elementwise; mish is `x tanh(softplus(x))` (Misra 2019), gelu the exact one. */
export function activate<T extends tf.Tensor>(name: ActivationName, x: T): T {
  switch (name) {
    case "silu":
      return silu(x);
    case "gelu":
      return gelu(x);
    case "mish":
      return tf.tidy(() => tf.mul(x, tf.tanh(tf.softplus(x))) as T);
    case "relu":
      return tf.relu(x);
  }
}
