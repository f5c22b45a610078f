import type { ConfigOptions } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { alphasCumprod } from "./noise-schedule.js";
import {
  parseSchedulerConfig,
  readSchedulerConfig,
  type SchedulerConfig,
  type SchedulerConfigInput,
  type SchedulerOptions,
} from "./scheduler-config.js";

/** The forward process and the training target of a diffusion model (Ho et al. 2020). */
export class DDPMScheduler {
  readonly config: SchedulerConfig;
  /** `abar_t`, one for each timestep. */
  readonly alphasCumprod: Float64Array;

  /**
   * @param options `acceptKeys`: unknown keys of the configuration that may be ignored, by name
   * @throws naming every key of the configuration that is unknown, unsupported or out of range
   */
  constructor(config: SchedulerConfigInput, options: ConfigOptions = {}) {
    this.config = parseSchedulerConfig(config, options);
    this.alphasCumprod = alphasCumprod(this.config);
  }

  /**
   * Reads `scheduler_config.json` of a diffusers folder's `scheduler`. It may name any sampler of DDPM's noise schedule (PNDM,
   * DDIM, Euler and others), because training needs the schedule and the prediction type only.
   *
   * @param options `acceptKeys`: unknown keys of the configuration that may be ignored, by name
   * @throws naming a class of another noise schedule, such as flow matching
   */
  static async fromPretrained(folder: string, options?: SchedulerOptions): Promise<DDPMScheduler> {
    const read = await readSchedulerConfig("DDPMScheduler.fromPretrained", folder, options);
    return new DDPMScheduler(read.config, read.how);
  }

  /**
   * `sqrt(abar_t) x0 + sqrt(1 - abar_t) eps` (Ho et al. 2020, eq. 4).
   *
   * @param timesteps one for each row, 0 to T - 1.
   * @returns shaped as x0; the caller disposes it.
   * @throws where x0 and noise are not float32 `[rows, height, width, channels]` of one shape, and on a timestep that is not there
   */
  addNoise(x0: tf.Tensor4D, noise: tf.Tensor4D, timesteps: Int32Array): tf.Tensor4D {
    const abars = this.check(x0, noise, timesteps);
    return combine(
      x0,
      abars.map(Math.sqrt),
      noise,
      abars.map((abar) => Math.sqrt(1 - abar)),
    );
  }

  /** `sqrt(abar_t) eps - sqrt(1 - abar_t) x0` (Salimans & Ho 2022, section 4). Parameters as of `addNoise`. */
  velocity(x0: tf.Tensor4D, noise: tf.Tensor4D, timesteps: Int32Array): tf.Tensor4D {
    const abars = this.check(x0, noise, timesteps);
    return combine(
      x0,
      abars.map((abar) => -Math.sqrt(1 - abar)),
      noise,
      abars.map(Math.sqrt),
    );
  }

  /** The target that the model was trained to predict, by the scheduler's own prediction type. Parameters as of `addNoise`. */
  target(x0: tf.Tensor4D, noise: tf.Tensor4D, timesteps: Int32Array): tf.Tensor4D {
    this.check(x0, noise, timesteps);
    switch (this.config.prediction_type) {
      case "epsilon":
        return tf.clone(noise);
      case "v_prediction":
        return this.velocity(x0, noise, timesteps);
      case "sample":
        return tf.clone(x0);
    }
  }

  /** `abar_t` of each row. */
  private check(x0: tf.Tensor4D, noise: tf.Tensor4D, timesteps: Int32Array): number[] {
    for (const [name, { rank, shape, dtype }] of Object.entries({ x0, noise })) {
      if (rank === 4 && dtype === "float32") continue;
      throw new Error(
        `DDPMScheduler: ${name} must be float32 [rows, height, width, channels], got ${dtype} [${shape}]`,
      );
    }
    if (timesteps.length !== x0.shape[0] || !tf.util.arraysEqual(x0.shape, noise.shape)) {
      throw new Error(
        `DDPMScheduler: x0 [${x0.shape}] and noise [${noise.shape}] must agree, with one timestep for each row, got ${timesteps.length}`,
      );
    }
    return Array.from(timesteps, (t) => {
      const abar = this.alphasCumprod[t];
      if (abar !== undefined) return abar;
      throw new RangeError(`DDPMScheduler: timestep ${t} is not in 0..${this.alphasCumprod.length - 1}`);
    });
  }
}

/** `a x + b y`, with a number of `a` and `b` for each row. */
function combine(x: tf.Tensor4D, a: number[], y: tf.Tensor4D, b: number[]): tf.Tensor4D {
  return tf.tidy(() => {
    const column = (values: number[]) => tf.tensor4d(values, [values.length, 1, 1, 1]);
    return tf.add(tf.mul(x, column(a)), tf.mul(y, column(b)));
  });
}
