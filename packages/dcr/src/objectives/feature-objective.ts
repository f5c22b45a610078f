import * as tf from "@tensorflow/tfjs-core";
import { checkFunction, checkOptions, checkText } from "../shared/check-options.js";
import { checkScalar } from "./check-scalar.js";
import type { Objective } from "./objective.js";

export interface FeatureObjectiveOptions {
  /** Whether the loss looks at the augmented views. Default true. */
  usesAugmented?: boolean;
  /** Whether the loss needs other images as negatives, so that a batch of one is refused. Default true. */
  needsNegatives?: boolean;
}

/**
 * An objective of any differentiable loss on features, which needs no diffusion model.
 *
 * @param name of the loss in a step's record
 * @param loss takes `z` and `z` of the augmented views, both `[N, d]`, to a scalar; it need dispose nothing
 * @throws in a step, when the loss is not a scalar
 *
 * @example
 * const together = featureObjective("together", (features, augmented) =>
 *   tf.mean(tf.squaredDifference(l2Normalize(features), l2Normalize(augmented))));
 */
export function featureObjective(
  name: string,
  loss: (features: tf.Tensor2D, augmented: tf.Tensor2D) => tf.Tensor,
  options?: FeatureObjectiveOptions,
): Objective {
  checkText("featureObjective: name", name);
  checkFunction("featureObjective: loss", loss);
  const { usesAugmented = true, needsNegatives = true } = checkOptions("featureObjective", options, {
    usesAugmented: "boolean",
    needsNegatives: "boolean",
  });
  return {
    name,
    usesAugmented,
    usesPredictions: false,
    needsNegatives,
    terms: ({ features, augmented, processes }) => {
      const inputs = usesAugmented ? [features, augmented!] : [features];
      const { value, grads } = tf.valueAndGrads((...given: tf.Tensor[]) => {
        const result = loss(given[0] as tf.Tensor2D, given[1] as tf.Tensor2D);
        checkScalar(`objective ${name}: the loss`, result);
        // tfjs refuses an input that the loss does not depend on; this gives it a gradient of zero.
        const nothing = tf.mul(tf.addN(given.map((each) => tf.sum(each))), 0);
        // Every process computes the loss of the whole batch.
        return tf.div(tf.add(result, nothing), processes) as tf.Scalar;
      })(inputs);
      const [dFeatures, dAugmented] = grads as tf.Tensor2D[];
      return [{ name, weight: 1, value: value as tf.Scalar, features: dFeatures, augmented: dAugmented }];
    },
  };
}
