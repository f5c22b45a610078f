import * as tf from "@tensorflow/tfjs-core";
import { cosineSimilarity } from "./cosine-similarity.js";
import { checkWidths, markKind } from "./distance.js";

/**
 * One minus the cosine similarity of every row of `a` with every row of `b`.
 *
 * @param a `[n, dim]`. @param b `[m, dim]`.
 * @returns `[n, m]`, each in [0, 2] up to rounding; the caller disposes it
 * @throws when the tensors are no matrices of one width
 */
export function cosineDistance(a: tf.Tensor, b: tf.Tensor): tf.Tensor2D {
  return tf.tidy(() => tf.sub(1, cosineSimilarity(...checkWidths("cosineDistance", a, b))) as tf.Tensor2D);
}

markKind(cosineDistance, "distance");
