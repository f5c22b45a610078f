import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkContext } from "./aggregator.js";
import { type ElementwiseAggregator, eachTensor } from "./elementwise.js";

/**
 * Coordinate-wise trimmed mean (Yin et al. 2018, definition 2): at each element the mean without the largest and the smallest values.
 */
export function trimmedMean(
  options: {
    /** Values that are left out at each end, at least 0; it needs `2 trim + 1` losses. Default 1. */
    trim?: number;
  } = {},
): ElementwiseAggregator {
  const { trim = 1 } = checkOptions("trimmedMean", options, { trim: true });
  checkNumber("trimmedMean: trim", trim, { min: 0, integer: true });
  return {
    name: "trimmedMean",
    combine: (gradients, context = {}) => {
      checkContext("trimmedMean", context);
      const m = gradients.length;
      checkNumber("trimmedMean: the number of losses", m, { min: 2 * trim + 1, integer: true });
      return eachTensor("trimmedMean", gradients, (g) => {
        const columns = tf.transpose(tf.reshape(g, [m, -1]));
        const { values } = tf.topk(columns, m);
        const kept = tf.slice(values, [0, trim], [-1, m - 2 * trim]);
        return tf.reshape(tf.mean(kept, 1), g.shape.slice(1));
      });
    },
  };
}
