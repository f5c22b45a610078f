import * as tf from "@tensorflow/tfjs-core";
import { l2Normalize } from "../shared/l2-normalize.js";
import { checkWidths, markKind } from "./distance.js";

/**
 * Cosine similarity of every row of `a` with every row of `b`. A zero row has similarity 0 with all. Time `O(n m dim)`.
 *
 * @param a `[n, dim]`. @param b `[m, dim]`.
 * @returns `[n, m]`, each in [-1, 1] up to rounding; the caller disposes it
 * @throws when the tensors are no matrices of one width
 */
export function cosineSimilarity(a: tf.Tensor, b: tf.Tensor): tf.Tensor2D {
  return tf.tidy(() => {
    const [x, y] = checkWidths("cosineSimilarity", a, b);
    return tf.matMul(l2Normalize(x), l2Normalize(y), false, true);
  });
}

markKind(cosineSimilarity, "similarity");
