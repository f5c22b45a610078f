import type { DDPMScheduler, Denoiser } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { checkFloatTensor } from "../objectives/check-float-tensor.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

/** The targets that a diffusion model may have been trained to predict, by diffusers' names. */
export type PredictionType = "epsilon" | "v_prediction" | "sample";

/** The model to look at, and images; the tensor stays the caller's. */
export interface PredictionTypeInput {
  denoiser: Denoiser;
  scheduler: DDPMScheduler;
  /** `x0`: latents times the scaling factor, `[N, h, w, channels]`. */
  latents: tf.Tensor;
  /** The seed of the noise. */
  seed: number;
}

export interface PredictionTypeErrors {
  /** Mean squared error of the denoiser's predictions against each target, over the target's mean square: near 0 for the right one. */
  errors: Record<PredictionType, number>;
  /** The type with the least error. */
  closest: PredictionType;
  /** The scheduler's setting. */
  configured: PredictionType;
}

/**
 * Measures what a denoiser predicts, to find a scheduler's configuration that does not belong to the model: with a wrong
 * `prediction_type` the target `G` is one that the model never saw, and training goes on without an error.
 *
 * The denoiser is asked with conditions of zeros (the empty prompt), at timesteps spread over the schedule. A model with random weights
 * is close to none of the targets.
 *
 * @throws on an unknown option, a seed that is none, and latents or predictions that are not finite
 */
export async function measurePredictionType(input: PredictionTypeInput): Promise<PredictionTypeErrors> {
  const caller = "measurePredictionType";
  const names = { denoiser: true, scheduler: true, latents: true, seed: true } as const;
  const { denoiser, scheduler, latents, seed } = checkOptions(caller, input, names);
  checkFloatTensor(`${caller}: latents`, latents, "[N, h, w, channels]");
  checkNumber(`${caller}: seed`, seed, { integer: true, min: 0 });
  const [n] = latents.shape;
  const steps = scheduler.config.num_train_timesteps;
  const timesteps = Int32Array.from({ length: n }, (_, i) => Math.floor(((i + 0.5) / n) * steps));
  const scalars = tf.tidy(() => {
    const [x0, noise] = [latents, new Random(seed).fork("noise").normal(latents.shape)] as tf.Tensor4D[];
    const prepared = denoiser.prepare(scheduler.addNoise(x0, noise, timesteps), timesteps);
    const rows = Int32Array.from({ length: n }, (_, i) => i);
    const predicted = denoiser.predict(prepared, rows, tf.zeros([n, denoiser.conditionSize]));
    prepared.dispose();
    const error = (target: tf.Tensor) =>
      tf.div(tf.mean(tf.squaredDifference(predicted, target)), tf.mean(tf.square(target)));
    return {
      epsilon: error(noise),
      v_prediction: error(scheduler.velocity(x0, noise, timesteps)),
      sample: error(latents),
    };
  });
  const types = ["epsilon", "v_prediction", "sample"] as const;
  const read = await Promise.all(types.map(async (name) => [name, (await scalars[name].data())[0]] as const));
  tf.dispose(scalars);
  const errors = Object.fromEntries(read) as Record<PredictionType, number>;
  // NaN would be sorted somewhere. Predictions of float16 models overflow so.
  if (Object.values(errors).some(Number.isNaN) || !Number.isFinite(errors.epsilon)) {
    const shown = types.map((name) => `${name} ${errors[name]}`).join(", ");
    throw new Error(
      `${caller}: the errors must be numbers, got ${shown}; latents or predictions are not finite`,
    );
  }
  const [closest] = [...types].sort((a, b) => errors[a] - errors[b]);
  return { errors, closest, configured: scheduler.config.prediction_type };
}
