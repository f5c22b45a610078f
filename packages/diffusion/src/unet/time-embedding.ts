import { Linear, Module, silu } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/**
 * Sinusoidal embedding of timesteps (Vaswani et al. 2017; Ho et al. 2020), as diffusers' `get_timestep_embedding`.
 *
 * @param timesteps `[batch]`. @param dim even. @returns `[batch, dim]`.
 */
export function timestepEmbedding(
  timesteps: tf.Tensor1D,
  dim: number,
  { flipSinToCos, freqShift }: { flipSinToCos: boolean; freqShift: number },
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

  constructor(inChannels: number, width: number) {
    super();
    this.linear_1 = new Linear(inChannels, width);
    this.linear_2 = new Linear(width, width);
  }

  forward(x: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => this.linear_2.forward(silu(this.linear_1.forward(x))));
  }
}
