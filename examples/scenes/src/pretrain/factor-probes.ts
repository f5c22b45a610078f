import type { CLIPModel } from "@dcr-js/encoders";
import { linearProbe } from "@dcr-js/eval";
import * as tf from "@tensorflow/tfjs-core";
import { type Factor, factorNames } from "../scenes/factors.js";
import type { SceneSet } from "../scenes/splits.js";
import type { Sprites } from "../scenes/sprites.js";
import { imageProcessor } from "./clip.js";
import { imageBatch } from "./image-batch.js";
import { validationScenes } from "./training-scenes.js";

/** Share of scenes that a linear classifier gets right, for the identity and for each factor. */
export type ProbeAccuracy = Record<"identity" | Factor, number>;
export const probed = ["identity", ...factorNames] as const;

const TRAIN = 3000;
const TEST = 1000;
const CHUNK = 250;

/** Linear probes on {@link probeFeatures}. */
export async function factorProbes(
  model: CLIPModel,
  sprites: Sprites,
  names: readonly (typeof probed)[number][] = probed,
): Promise<{ feature: ProbeAccuracy; patches: ProbeAccuracy }> {
  const set = validationScenes(sprites, TRAIN + TEST);
  const features = probeFeatures(model, set);
  const accuracies = async (rows: tf.Tensor2D) => {
    const [train, test] = standardised(rows);
    const entries: [string, number][] = [];
    for (const name of names) {
      const labels = set.scenes.map((scene) => String(scene[name]));
      const { accuracy } = await linearProbe({
        train: { features: train, labels: labels.slice(0, TRAIN) },
        test: { features: test, labels: labels.slice(TRAIN) },
        C: 0.01,
        tolerance: 1e-3,
      });
      entries.push([name, accuracy]);
    }
    tf.dispose([train, test]);
    return Object.fromEntries(entries) as ProbeAccuracy;
  };
  const result = { feature: await accuracies(features.feature), patches: await accuracies(features.patches) };
  tf.dispose([features.feature, features.patches]);
  return result;
}

/** The feature of each scene with length 1, `[scenes, 64]`, and its patch tokens in a row, `[scenes, 16 * 64]`. */
function probeFeatures(model: CLIPModel, set: SceneSet): { feature: tf.Tensor2D; patches: tf.Tensor2D } {
  return tf.tidy(() => {
    const chunks = Array.from({ length: set.scenes.length / CHUNK }, (_, chunk) =>
      tf.tidy(() => {
        const rows = Array.from({ length: CHUNK }, (_, i) => chunk * CHUNK + i);
        const tokens = model.tokens(imageProcessor.normalize(imageBatch(set, rows)));
        const [feature, patches] = tf.split(tokens, [1, tokens.shape[1] - 1], 1);
        const z = tf.reshape(feature, [CHUNK, -1]);
        return [
          tf.div(z, tf.norm(z, "euclidean", 1, true)),
          tf.reshape(patches, [CHUNK, -1]),
        ] as tf.Tensor2D[];
      }),
    );
    const [feature, patches] = [0, 1].map((part) => tf.concat(chunks.map((chunk) => chunk[part])));
    return { feature, patches };
  });
}

/** Training and test rows, moved and scaled to mean 0 and width 1 of the training rows. */
function standardised(rows: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D] {
  return tf.tidy(() => {
    const { mean, variance } = tf.moments(tf.slice(rows, [0, 0], [TRAIN, -1]), 0);
    const scaled = tf.div(tf.sub(rows, mean), tf.add(tf.sqrt(variance), 1e-6));
    return tf.split(scaled, [TRAIN, TEST]) as [tf.Tensor2D, tf.Tensor2D];
  });
}
