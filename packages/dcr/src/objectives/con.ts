import { supCon } from "@dcr-js/contrastive";
import * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { featureObjective } from "./feature-objective.js";
import type { Objective } from "./objective.js";

export interface ConObjectiveOptions {
  /** Greater than 0. Default 0.1. */
  temperature?: number;
}

/**
 * The contrastive objective on features (Han et al. 2026, section 5): SupCon (Khosla et al. 2020) with each image's augmented
 * view as its one positive, and the other images and views as its negatives.
 */
export function conObjective(options?: ConObjectiveOptions): Objective {
  const { temperature = 0.1 } = checkOptions("conObjective", options, { temperature: true });
  checkFloat("conObjective: temperature", temperature, { above: 0 });
  return featureObjective("con", (features, augmented) => {
    const labels = Array.from({ length: 2 * features.shape[0] }, (_, i) => i % features.shape[0]);
    return supCon(tf.concat([features, augmented]) as tf.Tensor2D, labels, { temperature });
  });
}
