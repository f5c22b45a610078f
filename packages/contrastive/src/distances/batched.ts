import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import type { Distance, Similarity } from "./distance.js";

/**
 * Computes a distance or a similarity a few rows of `a` at a time (pytorch-metric-learning's `BatchedDistance`), so that
 * intermediates of `[rows, m, dim]` stay small. The values are the same.
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
  const inParts = (a: tf.Tensor2D, b: tf.Tensor2D) =>
    tf.tidy(() => {
      const n = a.shape[0];
      const parts: tf.Tensor2D[] = [];
      for (let first = 0; first < n; first += rows) {
        parts.push(how(tf.slice(a, first, Math.min(rows, n - first)) as tf.Tensor2D, b));
      }
      return parts.length === 1 ? parts[0] : (tf.concat(parts) as tf.Tensor2D);
    });
  return inParts as F;
}
