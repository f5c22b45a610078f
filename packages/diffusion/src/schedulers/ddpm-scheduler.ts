import * as tf from "@tensorflow/tfjs-core";
import {
  alphasCumprod,
  parseSchedulerConfig,
  readSchedulerConfig,
  type SchedulerConfig,
  type SchedulerConfigInput,
} from "./noise-schedule.js";

/** The forward process and the training target of a diffusion model (Ho et al. 2020). */
export class DDPMScheduler {
  readonly config: SchedulerConfig;
  /** `abar_t`, one for each timestep. */
  readonly alphasCumprod: Float64Array;

  constructor(config: SchedulerConfigInput) {
    this.config = parseSchedulerConfig(config);
    this.alphasCumprod = alphasCumprod(this.config);
  }

  /** Reads `scheduler_config.json` of a diffusers folder's `scheduler`, whichever sampler it names. */
  static async fromPretrained(folder: string): Promise<DDPMScheduler> {
    return new DDPMScheduler(await readSchedulerConfig(folder));
  }

  /** `sqrt(abar_t) x0 + sqrt(1 - abar_t) eps` (Ho et al. 2020, eq. 4). @param timesteps one for each row. */
  addNoise(x0: tf.Tensor4D, noise: tf.Tensor4D, timesteps: Int32Array): tf.Tensor4D {
    return this.combine(x0, noise, timesteps, (abar) => [Math.sqrt(abar), Math.sqrt(1 - abar)]);
  }

  /** `sqrt(abar_t) eps - sqrt(1 - abar_t) x0` (Salimans & Ho 2022, section 4). */
  velocity(x0: tf.Tensor4D, noise: tf.Tensor4D, timesteps: Int32Array): tf.Tensor4D {
    return this.combine(x0, noise, timesteps, (abar) => [-Math.sqrt(1 - abar), Math.sqrt(abar)]);
  }

  /** What the model was trained to predict, by the scheduler's own prediction type. */
  target(x0: tf.Tensor4D, noise: tf.Tensor4D, timesteps: Int32Array): tf.Tensor4D {
    switch (this.config.prediction_type) {
      case "epsilon":
        return tf.clone(noise);
      case "v_prediction":
        return this.velocity(x0, noise, timesteps);
      case "sample":
        return tf.clone(x0);
    }
  }

  private combine(
    x0: tf.Tensor4D,
    noise: tf.Tensor4D,
    timesteps: Int32Array,
    weights: (abar: number) => [number, number],
  ): tf.Tensor4D {
    if (timesteps.length !== x0.shape[0] || !tf.util.arraysEqual(x0.shape, noise.shape)) {
      throw new Error(
        `DDPMScheduler: x0 [${x0.shape}] and noise [${noise.shape}] must agree, with one timestep for each row, got ${timesteps.length}`,
      );
    }
    const pairs = Array.from(timesteps, (t) => {
      const abar = this.alphasCumprod[t];
      if (abar === undefined) {
        throw new Error(`DDPMScheduler: timestep ${t} is not in 0..${this.alphasCumprod.length - 1}`);
      }
      return weights(abar);
    });
    return tf.tidy(() => {
      const column = (index: 0 | 1) =>
        tf.tensor4d(
          pairs.map((pair) => pair[index]),
          [pairs.length, 1, 1, 1],
        );
      return tf.add(tf.mul(x0, column(0)), tf.mul(noise, column(1)));
    });
  }
}
