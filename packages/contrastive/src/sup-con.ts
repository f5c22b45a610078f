import type * as tf from "@tensorflow/tfjs-core";
import { checkBatch } from "./checks.js";
import { contrast, type MultiPositiveOptions } from "./multi-positive.js";
import type { Reduced, Reduction } from "./reduction.js";

export type SupConOptions<R extends Reduction = Reduction> = Omit<MultiPositiveOptions<R>, "excluded">;

/**
 * Supervised contrastive loss (SupCon; Khosla et al. 2020): rows of equal label are positives of one another, all
 * other rows are candidates. With `q_ij = exp(s_ij / t) / sum_{k != i} exp(s_ik / t)`, by `options.formulation`
 *
 *     out (L_out, eq. 2):  -1/|P(i)| sum_{j in P(i)} log q_ij
 *     in (L_in, eq. 3):    -log( 1/|P(i)| sum_{j in P(i)} q_ij )
 *     mil-nce:             -log sum_{j in P(i)} q_ij
 *
 * @param features `[n, dim]`, n >= 2. Several views of an image are rows of one label.
 * @param positives the label of each row, `n`; or whether row j is a positive of row i, `n * n`, its diagonal ignored.
 * @returns `[n]`, or its reduction.
 * @throws when a row has no positive; else as {@link multiPositive}.
 */
export function supCon<R extends Reduction = "mean">(
  features: tf.Tensor2D,
  positives: ArrayLike<number | boolean>,
  options: SupConOptions<R> = {},
): Reduced<R> {
  const n = features.shape[0];
  checkBatch("supCon", n);
  if (positives.length !== n && positives.length !== n * n) {
    throw new Error(
      `supCon: positives must be ${n} labels or ${n} x ${n} = ${n * n} entries of a mask, got ${positives.length}`,
    );
  }
  const mask =
    positives.length === n
      ? Uint8Array.from({ length: n * n }, (_, at) =>
          Number(positives[Math.floor(at / n)] === positives[at % n]),
        )
      : positives;
  return contrast("supCon", features, features, mask, { ...options, excluded: diagonal(n) });
}

/** `n * n`, 1 where row and column are equal. */
export function diagonal(n: number): Uint8Array {
  return Uint8Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0));
}
