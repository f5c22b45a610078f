import * as tf from "@tensorflow/tfjs-core";
import { unitRows } from "../math/unit-rows.js";
import { cosineSimilarity } from "./cosine-similarity.js";
import { compare, type Similarity } from "./distance.js";

/**
 * Parts a similarity into what is made of each row once and the comparison of blocks of rows: cosines need rows of length 1, which
 * each block would make of all candidates again.
 *
 * @param caller the loss, for errors
 */
export function rowComparison(
  caller: string,
  similarity: Similarity,
): { prepare: (x: tf.Tensor2D) => tf.Tensor2D; compareRows: Similarity } {
  if (similarity !== cosineSimilarity) {
    return { prepare: (x) => x, compareRows: (a, b) => compare(a, b, { caller, similarity }) };
  }
  return { prepare: (x) => unitRows(x), compareRows: (a, b) => tf.matMul(a, b, false, true) };
}
