import * as tf from "@tensorflow/tfjs-core";
import { inBlocks } from "../blocks/in-blocks.js";
import { checkEmbeddings } from "../check-embeddings.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { type Distance, kindOf, markKind, type Similarity } from "./distance.js";

/**
 * Computes a distance or a similarity a few rows of `a` at a time (pytorch-metric-learning's `BatchedDistance`), so that
 * intermediates of `[rows, m, dim]` stay small, in the backward pass too, which computes each part again. Values and gradients are the
 * same.
 *
 * @example
 * const distance = batched(lpDistance({ p: 1 }), { rows: 16 });
 */
export function batched<F extends Distance | Similarity>(
  how: F,
  options: {
    /** Rows of `a` at once, at least 1. */
    rows: number;
  },
): F {
  const { rows } = checkOptions("batched", options, { rows: true });
  checkNumber("batched: rows", rows, { min: 1, integer: true });
  if (typeof how !== "function")
    throw new TypeError(`batched: how must be a distance or a similarity, got ${describe(how)}`);
  const inParts = (a: tf.Tensor2D, b: tf.Tensor2D) =>
    tf.tidy(() => {
      const inputs = { rows: [checkEmbeddings("batched: a", a)], whole: [checkEmbeddings("batched: b", b)] };
      return inBlocks({ ...inputs, blockSize: rows }, ([x], [y]) => how(x as tf.Tensor2D, y as tf.Tensor2D));
    });
  return markKind(inParts as F, kindOf(how));
}
