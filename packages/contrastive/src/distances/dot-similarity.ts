import * as tf from "@tensorflow/tfjs-core";
import { dotProducts } from "../math/saturated-products.js";
import { checkWidths, markKind } from "./distance.js";

/**
 * Dot product of every row of `a` with every row of `b`: for embeddings that are normalised already, or where length
 * matters. A product beyond float32 is the largest float32, with its sign, so that losses stay numbers.
 *
 * @param a `[n, dim]`. @param b `[m, dim]`.
 * @returns `[n, m]`; the caller disposes it
 * @throws when the tensors are no matrices of one width
 */
export function dotSimilarity(a: tf.Tensor, b: tf.Tensor): tf.Tensor2D {
  return tf.tidy(() => {
    const [x, y] = checkWidths("dotSimilarity", a, b);
    return dotProducts(x, y);
  });
}

markKind(dotSimilarity, "similarity");
