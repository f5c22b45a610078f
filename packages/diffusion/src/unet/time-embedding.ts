import { Linear, Module } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type ActivationName, activate } from "./activation.js";

/** How timesteps become sinusoids. */
export interface SinusoidOptions {
  /** Whether cosines come before sines. */
  flipSinToCos: boolean;
  /** Subtracted from the number of frequencies in the exponents' denominator. */
  freqShift: number;
}

/**
 * Sinusoidal embedding of timesteps (Vaswani et al. 2017; Ho et al. 2020), as diffusers' `get_timestep_embedding`.
 *
 * @param timesteps `[batch]`. @param dim even. @returns `[batch, dim]`; the caller disposes it.
 */
export function timestepEmbedding(
  timesteps: tf.Tensor1D,
  dim: number,
  { flipSinToCos, freqShift }: SinusoidOptions,
): tf.Tensor2D {
  const half = dim / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp((-Math.log(10000) * i) / (half - freqShift)),
  );
  return tf.tidy(() => {
    const angles = tf.mul(
      tf.expandDims(tf.cast(timesteps, "float32"), 1),
      tf.tensor2d(frequencies, [1, half]),
    );
    const parts = flipSinToCos ? [tf.cos(angles), tf.sin(angles)] : [tf.sin(angles), tf.cos(angles)];
    return tf.concat(parts, 1) as tf.Tensor2D;
  });
}

/** Two linear maps with SiLU between, from the sinusoids to the width that the resnets take. */
export class TimestepEmbedding extends Module {
  readonly linear_1: Linear;
  readonly linear_2: Linear;
  private readonly postAct?: ActivationName | null;

  /** @param options postAct: applied to the result. Default none. */
  constructor(inChannels: number, width: number, options: { postAct?: ActivationName | null } = {}) {
    super();
    this.linear_1 = new Linear(inChannels, width);
    this.linear_2 = new Linear(width, width);
    this.postAct = options.postAct;
  }

  /** @param x `[batch, inChannels]`. @returns `[batch, width]`; the caller disposes it. */
  forward(x: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => {
      const y = this.linear_2.forward(activate("silu", this.linear_1.forward(x)));
      return this.postAct ? activate(this.postAct, y) : y;
    });
  }
}
