import * as tf from "@tensorflow/tfjs-core";
import {
  alphasCumprod,
  parseSchedulerConfig,
  readSchedulerConfig,
  type SchedulerConfig,
  type SchedulerConfigInput,
} from "./noise-schedule.js";

/** Deterministic sampling (Song et al. 2021, eq. 12 with eta = 0), with diffusers' "leading" spacing of timesteps. */
export class DDIMScheduler {
  readonly config: SchedulerConfig;
  private readonly alphasCumprod: Float64Array;

  constructor(config: SchedulerConfigInput) {
    this.config = parseSchedulerConfig(config);
    this.alphasCumprod = alphasCumprod(this.config);
  }

  /** Reads `scheduler_config.json` of a diffusers folder's `scheduler`, whichever sampler it names. */
  static async fromPretrained(folder: string): Promise<DDIMScheduler> {
    return new DDIMScheduler(await readSchedulerConfig(folder));
  }

  /** The timesteps of a run of `steps` denoising steps, from high to low. */
  timesteps(steps: number): number[] {
    const { num_train_timesteps: count, steps_offset } = this.config;
    if (!Number.isInteger(steps) || steps < 1 || steps > count) {
      throw new Error(`DDIMScheduler.timesteps: steps must be an integer in 1..${count}, got ${steps}`);
    }
    const stride = Math.floor(count / steps);
    return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * stride + steps_offset);
  }

  /**
   * One step from timestep `t` of a run of `steps`.
   *
   * @param prediction what the model gave at `t`. @param sample the noisy sample at `t`.
   * @returns the sample at the timestep before.
   */
  step(prediction: tf.Tensor4D, t: number, sample: tf.Tensor4D, steps: number): tf.Tensor4D {
    const { num_train_timesteps, set_alpha_to_one, prediction_type, clip_sample, clip_sample_range } =
      this.config;
    const previous = t - Math.floor(num_train_timesteps / steps);
    const abar = this.alphasCumprod[t];
    const before =
      previous >= 0 ? this.alphasCumprod[previous] : set_alpha_to_one ? 1 : this.alphasCumprod[0];
    const [signal, noise] = [Math.sqrt(abar), Math.sqrt(1 - abar)];
    const mix = (a: tf.Tensor4D, x: number, b: tf.Tensor4D, y: number) => tf.add(tf.mul(a, x), tf.mul(b, y));
    return tf.tidy(() => {
      let x0 = {
        epsilon: () => mix(sample, 1 / signal, prediction, -noise / signal),
        v_prediction: () => mix(sample, signal, prediction, -noise),
        sample: () => prediction,
      }[prediction_type]() as tf.Tensor4D;
      const epsilon = (
        prediction_type === "epsilon"
          ? prediction
          : prediction_type === "sample"
            ? mix(sample, 1 / noise, x0, -signal / noise)
            : mix(prediction, signal, sample, noise)
      ) as tf.Tensor4D;
      if (clip_sample) x0 = tf.clipByValue(x0, -clip_sample_range, clip_sample_range);
      return mix(x0, Math.sqrt(before), epsilon, Math.sqrt(1 - before)) as tf.Tensor4D;
    });
  }
}
