import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, type Labels } from "../check-embeddings.js";
import { compare, type NamedComparison } from "../distances/distance.js";
import { saturateGradient } from "../math/saturate.js";
import { maskOf, readTuples, reduceAnchors, type TupleLossOptions } from "../pairs/tuple-inputs.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";

/** The inputs of a loss that has one value for each anchor. */
export interface AnchorLossInputs<R extends Reduction> {
  labels: Labels;
  tuples: Omit<TupleLossOptions, "reduction">;
  reduction: R;
  /** The option that compares rows, by its name. */
  measure: NamedComparison;
  /** Whether the loss is constant where no anchor has a negative. Default false. */
  needsNegatives?: boolean;
}

/** All comparisons of the anchors, `[n, m]`, and which of them are pairs. */
export interface AnchorComparisons {
  matrix: tf.Tensor2D;
  /** bool */
  positive: tf.Tensor2D;
  /** bool */
  negative: tf.Tensor2D;
}

/** Checks the inputs of the loss `caller`, has it compute a value for each anchor, `[n]`, and reduces these. */
export function anchorLosses<R extends Reduction>(
  caller: string,
  embeddings: tf.Tensor,
  { labels, tuples, reduction, measure, needsNegatives }: AnchorLossInputs<R>,
  losses: (comparisons: AnchorComparisons) => tf.Tensor,
): Reduced<R> {
  return tf.tidy(() => {
    const inputs = readTuples(
      caller,
      saturateGradient(checkEmbeddings(`${caller}: embeddings`, embeddings)),
      { labels, ...tuples, needsNegatives },
    );
    const matrix = compare(inputs.anchors, inputs.others, { caller, ...measure });
    const { positive, negative } = inputs.pairs();
    const masks = { positive: maskOf(positive, matrix.shape), negative: maskOf(negative, matrix.shape) };
    return reduceAnchors(inputs, losses({ matrix, ...masks }), reduction);
  }) as Reduced<R>;
}
