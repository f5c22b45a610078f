import { classScatter } from "@dcr-js/eval";
import * as tf from "@tensorflow/tfjs-core";
import { factorNames } from "../scenes/factors.js";
import type { Scene } from "../scenes/scene.js";

/**
 * The share of the features' variance that identity, style and each factor explain: eta squared of a one-way analysis of variance
 * (Fisher 1925; Cohen 1988, section 8.2), the sum of squares between the groups over the total, both summed over the dimensions. Factors are
 * drawn independently, so the shares add up to 1 less what interactions and jitter explain. With g groups and n scenes, a factor that the
 * feature ignores has (g - 1) / (n - 1) on average.
 *
 * @param features `[n, dim]`. @param scenes one for each row
 */
export async function varianceExplained(
  features: tf.Tensor2D,
  scenes: readonly Scene[],
): Promise<Record<string, number>> {
  const shares: Record<string, number> = {};
  for (const key of ["identity", "style", ...factorNames] as const) {
    const { explained } = await classScatter(
      features,
      scenes.map((scene) => scene[key]),
    );
    shares[key] = explained;
  }
  return shares;
}

/** Rows `0, step, 2 * step, ...`. The caller disposes them. */
export function everyRow(features: tf.Tensor2D, step: number): tf.Tensor2D {
  const rows = Array.from({ length: features.shape[0] / step }, (_, i) => i * step);
  return tf.tidy(() => tf.gather(features, tf.tensor1d(rows, "int32")));
}
