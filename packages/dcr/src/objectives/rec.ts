import * as tf from "@tensorflow/tfjs-core";
import { chunkedGradient } from "../predictions/chunked-gradient.js";
import { checkOptions } from "../shared/check-options.js";
import type { Objective } from "./objective.js";
import { askPredictions } from "./prediction-objective.js";
import { reconstructionLoss } from "./reconstruction-loss.js";

/** The reconstruction objective of DIVA and GenHancer (Han et al. 2026, eq. 2): {@link reconstructionLoss} of `P[i, i]`. It has no options. */
export function recObjective(options?: Record<string, never>): Objective {
  checkOptions("recObjective", options, {});
  return {
    name: "rec",
    usesAugmented: false,
    usesPredictions: true,
    needsNegatives: false,
    terms: ({ predictor, processes }) => {
      const asked = askPredictions(predictor!, { pairs: "own", usesAugmented: false });
      const { value, conditionGradient } = chunkedGradient(asked.made, (predicted) => {
        const { target } = predictor!;
        return {
          value: tf.div(reconstructionLoss(predicted, target), processes) as tf.Scalar,
          gradient: tf.mul(tf.sub(predicted, target), 2 / predicted.size / processes),
        };
      });
      return [{ name: "rec", weight: 1, value, ...asked.splitGradient(conditionGradient) }];
    },
  };
}
