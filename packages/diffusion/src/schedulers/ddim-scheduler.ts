import type { ConfigOptions } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { checkNumber } from "../shared/check-options.js";
import { dynamicThreshold } from "./dynamic-threshold.js";
import { alphasCumprod } from "./noise-schedule.js";
import {
  parseSchedulerConfig,
  readSchedulerConfig,
  type SchedulerConfig,
  type SchedulerConfigInput,
  type SchedulerOptions,
} from "./scheduler-config.js";

/** Deterministic sampling (Song et al. 2021, eq. 12 with eta = 0), with the numbers of diffusers' `DDIMScheduler`. */
export class DDIMScheduler {
  readonly config: SchedulerConfig;
  private readonly alphasCumprod: Float64Array;

  /**
   * @param options `acceptKeys`: unknown keys of the configuration that may be ignored, by name
   * @throws naming every key of the configuration that is unknown, unsupported or out of range
   */
  constructor(config: SchedulerConfigInput, options: ConfigOptions = {}) {
    this.config = parseSchedulerConfig(config, options);
    this.alphasCumprod = alphasCumprod(this.config);
  }

  /**
   * Reads `scheduler_config.json` of a diffusers folder's `scheduler`, whichever sampler of DDPM's noise schedule it names.
   *
   * @param options `acceptKeys`: unknown keys of the configuration that may be ignored, by name
   */
  static async fromPretrained(folder: string, options?: SchedulerOptions): Promise<DDIMScheduler> {
    const read = await readSchedulerConfig("DDIMScheduler.fromPretrained", folder, options);
    return new DDIMScheduler(read.config, read.how);
  }

  /**
   * The timesteps of a run, from high to low, spaced as `timestep_spacing` says (Lin et al. 2024, table 2). With leading spacing
   * and `steps_offset`, a run of nearly all timesteps begins beyond the last one, as in diffusers; `step` refuses that one.
   *
   * @param steps number of denoising steps, 1 to `num_train_timesteps`.
   */
  timesteps(steps: number): number[] {
    const { num_train_timesteps: count, steps_offset: offset, timestep_spacing: spacing } = this.config;
    this.checkSteps("timesteps", steps);
    const place = {
      leading: (i: number) => i * Math.floor(count / steps) + offset,
      trailing: (i: number) => roundHalfEven(count - (steps - 1 - i) * (count / steps)) - 1,
      linspace: (i: number) => (steps === 1 ? 0 : roundHalfEven(i * ((count - 1) / (steps - 1)))),
    }[spacing];
    return Array.from({ length: steps }, (_, i) => place(steps - 1 - i));
  }

  /**
   * One step from timestep `t` of a run of `steps`.
   *
   * @param prediction what the model gave at `t`. @param sample the noisy sample at `t`.
   * @returns the sample at the timestep before; the caller disposes it.
   * @throws where `t` is no timestep or `steps` no number of steps, where the shapes differ, and where the model predicts epsilon
   *   and the sample at `t` is pure noise (`rescale_betas_zero_snr`)
   */
  step(prediction: tf.Tensor4D, t: number, sample: tf.Tensor4D, steps: number): tf.Tensor4D {
    const { num_train_timesteps: count, prediction_type, set_alpha_to_one, steps_offset } = this.config;
    this.checkSteps("step", steps);
    if (!Number.isInteger(t) || t < 0 || t >= count) {
      const hint =
        t >= count && steps_offset > 0 ? ` (steps_offset is ${steps_offset}: use fewer steps)` : "";
      throw new RangeError(`DDIMScheduler.step: t must be an integer in 0..${count - 1}, got ${t}${hint}`);
    }
    if (!tf.util.arraysEqual(prediction.shape, sample.shape)) {
      throw new Error(
        `DDIMScheduler.step: prediction [${prediction.shape}] and sample [${sample.shape}] must agree`,
      );
    }
    const abar = this.alphasCumprod[t];
    if (abar === 0 && prediction_type === "epsilon") {
      throw new Error(
        `DDIMScheduler.step: at t = ${t} the sample is pure noise, so that epsilon says nothing of it; use prediction_type "v_prediction" or "sample"`,
      );
    }
    const previous = t - Math.floor(count / steps);
    const before =
      previous >= 0 ? this.alphasCumprod[previous] : set_alpha_to_one ? 1 : this.alphasCumprod[0];
    const [signal, noise] = [Math.sqrt(abar), Math.sqrt(1 - abar)];
    const mix = (a: tf.Tensor4D, x: number, b: tf.Tensor4D, y: number): tf.Tensor4D =>
      tf.add(tf.mul(a, x), tf.mul(b, y));
    return tf.tidy(() => {
      switch (prediction_type) {
        case "epsilon": {
          const x0 = mix(sample, 1 / signal, prediction, -noise / signal);
          return mix(this.limit(x0), Math.sqrt(before), prediction, Math.sqrt(1 - before));
        }
        case "v_prediction": {
          const x0 = mix(sample, signal, prediction, -noise);
          const epsilon = mix(prediction, signal, sample, noise);
          return mix(this.limit(x0), Math.sqrt(before), epsilon, Math.sqrt(1 - before));
        }
        case "sample": {
          const epsilon = mix(sample, 1 / noise, prediction, -signal / noise);
          return mix(this.limit(prediction), Math.sqrt(before), epsilon, Math.sqrt(1 - before));
        }
      }
    });
  }

  /** Keeps a predicted image in its range. */
  private limit(x0: tf.Tensor4D): tf.Tensor4D {
    const { thresholding, clip_sample, clip_sample_range: range } = this.config;
    if (thresholding) {
      const { dynamic_thresholding_ratio: ratio, sample_max_value: max } = this.config;
      return dynamicThreshold(x0, { ratio, max });
    }
    return clip_sample ? tf.clipByValue(x0, -range, range) : x0;
  }

  private checkSteps(method: string, steps: number): void {
    const { num_train_timesteps: max } = this.config;
    checkNumber(`DDIMScheduler.${method}: steps`, steps, { min: 1, max, integer: true });
  }
}

/** Rounds as NumPy does: halves to the even neighbour. */
function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}
