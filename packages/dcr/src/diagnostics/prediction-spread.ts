import type { DDPMScheduler, Denoiser } from "@dcr-js/diffusion";
import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { checkFloatTensor } from "../objectives/check-float-tensor.js";
import { similarityMetrics } from "../objectives/dcr.js";
import { dcrLossGradients } from "../objectives/dcr-loss-gradients.js";
import { askPredictions } from "../objectives/prediction-objective.js";
import { predictInChunks } from "../predictions/chunked-gradient.js";
import { checkNumber, checkNumbers, checkOptions } from "../shared/check-options.js";

/** Images and conditions that a diagnostic looks at; the tensors stay the caller's. */
export interface SpreadInput {
  denoiser: Denoiser;
  scheduler: DDPMScheduler;
  /** `x0`: latents times the scaling factor, `[N, h, w, channels]`, N >= 2. */
  latents: tf.Tensor;
  /** `h(z)` of each image, `[N, c]`. */
  conditions: tf.Tensor;
  /** `h(z)` of each image's augmented view, `[N, c]`. Default none. */
  augmentedConditions?: tf.Tensor;
  /** The timesteps to look at. */
  timesteps: readonly number[];
  /** The seed of the noise, which is the same at all timesteps. */
  seed: number;
  /** Predictions that are made at once; 0 makes all. Default 16. */
  chunk?: number;
}

/** Mean cosine similarities of the anchors `a_i = P[i, i]` at one timestep. */
export interface PredictionSpread {
  timestep: number;
  /** The anchors' similarities with `G_i`. */
  target: number;
  /** The anchors' similarities with `A+_i`, where augmented views are given. */
  augmented?: number;
  /** The anchors' similarities with `P[i, k]`, `k != i`. */
  negatives: number;
  /** Standard deviation of `s(a_i, P[i, k])` over k, averaged over i. */
  negativesSpread: number;
}

/**
 * How far predictions under different conditions lie apart, by timestep: where the DCR loss has something to contrast. At small
 * timesteps the noise dominates and predictions are nearly parallel, and a temperature far above `1 - negatives` then makes the
 * candidates alike.
 *
 * @returns one entry for each timestep, in the order given
 * @throws on an unknown option, a number out of range, and fewer than two images
 *
 * @example
 * for (const { timestep, negatives } of await predictionSpread({ ...given, timesteps: [50, 250, 500, 950] })) console.log(timestep, negatives);
 */
export async function predictionSpread(input: SpreadInput): Promise<PredictionSpread[]> {
  const {
    denoiser,
    scheduler,
    latents,
    conditions,
    augmentedConditions,
    timesteps,
    seed,
    chunk = 16,
  } = checkOptions("predictionSpread", input, {
    denoiser: true,
    scheduler: true,
    latents: true,
    conditions: true,
    augmentedConditions: true,
    timesteps: true,
    seed: true,
    chunk: true,
  });
  checkNumber("predictionSpread: seed", seed, { integer: true, min: 0 });
  checkNumber("predictionSpread: chunk", chunk, { integer: true, min: 0 });
  checkFloatTensor("predictionSpread: latents", latents, "[N, h, w, channels]");
  checkFloatTensor("predictionSpread: conditions", conditions, "[N, c]");
  const [n] = latents.shape;
  if (n < 2 || conditions.shape[0] !== n) {
    throw new Error(
      `predictionSpread: expected latents and conditions of two images or more, one row each, got [${latents.shape}] and [${conditions.shape}]`,
    );
  }
  if (augmentedConditions !== undefined && String(augmentedConditions.shape) !== String(conditions.shape)) {
    throw new Error(
      `predictionSpread: augmentedConditions must be [${conditions.shape}] as conditions are, got [${augmentedConditions.shape}]`,
    );
  }
  const end = scheduler.config.num_train_timesteps;
  checkNumbers("predictionSpread: timesteps", timesteps, { integer: true, min: 0, below: end });
  const usesAugmented = augmentedConditions !== undefined;
  const results: PredictionSpread[] = [];
  for (const timestep of timesteps) {
    const metrics = tf.tidy(() => {
      const [x0, noise] = [latents, new Random(seed).fork("noise").normal(latents.shape)] as tf.Tensor4D[];
      const all = new Int32Array(n).fill(timestep);
      const noisy = scheduler.addNoise(x0, noise, all);
      const prepared = denoiser.prepare(noisy, all);
      const asked = askPredictions(
        {
          conditions,
          augmentedConditions,
          target: scheduler.target(x0, noise, all),
          offset: 0,
          chunk,
          predict: (rows, e) => denoiser.predict(prepared, rows, e),
        },
        { pairs: "all", usesAugmented },
      );
      const given = asked.split(predictInChunks(asked.made));
      prepared.dispose();
      const positives = usesAugmented ? (["augmented", "target"] as const) : (["target"] as const);
      return similarityMetrics(dcrLossGradients(given, { positives }).similarities, given.anchors, 1);
    });
    const read = async (name: string) => {
      const [value] = await metrics[`similarity/${name}`].data();
      return checkNumber(`predictionSpread: similarity of ${name} at timestep ${timestep}`, value);
    };
    results.push({
      timestep,
      target: await read("target"),
      ...(usesAugmented && { augmented: await read("augmented") }),
      negatives: await read("negatives"),
      negativesSpread: await read("negativesSpread"),
    });
    tf.dispose(metrics);
  }
  return results;
}
