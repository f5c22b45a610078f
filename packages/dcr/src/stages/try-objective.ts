import { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Objective, ObjectiveTerm, Predictor } from "../objectives/objective.js";
import { askObjective, readTerm } from "./objective-terms.js";
import { checkMemory } from "./stage-state.js";

/** The sizes of what a stage gives to an objective. */
export interface ObjectiveSizes {
  batchSize: number;
  /** Length of a feature, the encoder's `featureSize`. */
  featureSize: number;
  /** Length of a condition, the denoiser's `conditionSize`. */
  conditionSize: number;
  /** Height, width and channels of an image's latents. */
  latents: readonly [height: number, width: number, channels: number];
}

/**
 * Runs an objective once, on random numbers of the shapes that a stage gives it and on a stand-in for the denoiser, so that a mistake in it
 * shows before models are loaded and trained. Says nothing of the loss's value.
 *
 * @returns the names of its losses
 * @throws what the objective throws; and by its name, where it returns something else than losses with their gradients
 *
 * @example
 * await tryObjective(mine, { batchSize: 4, featureSize: 768, conditionSize: 1024, latents: [28, 28, 4] });
 */
export async function tryObjective(objective: Objective, sizes: ObjectiveSizes): Promise<string[]> {
  const { batchSize, featureSize } = sizes;
  const random = new Random(0);
  const inputs: tf.Tensor[] = [];
  const draw = <T extends tf.Tensor>(name: string, shape: number[]): T => {
    const drawn = random.fork(name).normal(shape);
    inputs.push(drawn);
    return drawn as T;
  };
  let terms: ObjectiveTerm[] = [];
  try {
    const views = objective.usesAugmented;
    terms = askObjective(objective, {
      features: draw("features", [batchSize, featureSize]),
      ...(views && { augmented: draw("augmented", [batchSize, featureSize]) }),
      ...(objective.usesPredictions && { predictor: standIn(sizes, views, draw) }),
      processes: 1,
      apart: true,
    });
    const values = [];
    for (const term of terms) values.push(await readTerm(term));
    const metrics = Object.assign({}, ...values.map((each) => each.metrics));
    if (objective.remember) {
      checkMemory(`objective ${objective.name}: memory`, objective.remember(metrics), true);
    }
    return terms.map(({ name }) => name);
  } finally {
    tf.dispose([inputs, terms as unknown as tf.TensorContainer]);
  }
}

/** Predictions that depend on the image and, smoothly, on the condition. */
function standIn(
  { batchSize, conditionSize, latents }: ObjectiveSizes,
  usesAugmented: boolean,
  draw: <T extends tf.Tensor>(name: string, shape: number[]) => T,
): Predictor {
  const noisy = draw("noisy", [batchSize, ...latents]);
  const direction = draw("direction", [1, ...latents]);
  return {
    conditions: draw("conditions", [batchSize, conditionSize]),
    ...(usesAugmented && { augmentedConditions: draw("augmented conditions", [batchSize, conditionSize]) }),
    target: draw("target", [batchSize, ...latents]),
    offset: 0,
    chunk: 16,
    predict: (images, conditions) =>
      tf.tidy(() => {
        const strength = tf.tanh(tf.mean(tf.reshape(conditions, [images.length, -1]), 1));
        const own = tf.gather(noisy, tf.tensor1d(images, "int32"));
        return tf.add(own, tf.mul(tf.reshape(strength, [-1, 1, 1, 1]), direction));
      }) as tf.Tensor4D,
  };
}
