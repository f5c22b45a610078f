import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkEmbeddings } from "../check-embeddings.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkOptions, describe } from "../shared/check-options.js";
import {
  checkFlags,
  contrast,
  type MultiPositiveOptions,
  multiPositiveOptionNames,
} from "./multi-positive.js";

/** `excluded` adds false negatives to the rows themselves, which are always left out. */
export type SupConOptions<R extends Reduction = Reduction> = MultiPositiveOptions<R>;

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
 * @returns `[n]`, or its reduction; the caller disposes it
 * @throws when a row has no positive, unless `withoutPositives` says otherwise; else as {@link multiPositive}
 */
export function supCon<R extends Reduction = "mean">(
  features: tf.Tensor,
  positives: ArrayLike<number | boolean>,
  options: SupConOptions<R> = {},
): Reduced<R> {
  const given = checkOptions<SupConOptions<R>>("supCon", options, multiPositiveOptionNames);
  const n = checkEmbeddings("supCon: features", features).shape[0];
  checkBatch("supCon", n);
  if (positives?.length !== n && positives?.length !== n * n) {
    throw new Error(
      `supCon: positives must be ${n} labels or ${n} x ${n} = ${n * n} entries of a mask, got ${positives?.length ?? describe(positives)}`,
    );
  }
  checkFlags("supCon: positives", positives);
  const isLabels = positives.length === n;
  const mask = isLabels
    ? Uint8Array.from({ length: n * n }, (_, at) =>
        Number(positives[Math.floor(at / n)] === positives[at % n]),
      )
    : positives;
  const excluded = besideSelf("supCon", given.excluded, n);
  return tf.tidy(() =>
    contrast("supCon", {
      anchors: features,
      candidates: features,
      positive: mask,
      options: { ...given, excluded },
      labels: isLabels ? (positives as ArrayLike<number>) : undefined,
    }),
  ) as Reduced<R>;
}

/** The mask of rows that take no part, `n * n`: each row itself, and those that are given. */
export function besideSelf(
  caller: string,
  excluded: ArrayLike<boolean | number> | undefined,
  n: number,
): Uint8Array {
  if (excluded === undefined) return diagonal(n);
  if (excluded.length !== n * n) {
    throw new Error(
      `${caller}: excluded must have ${n} x ${n} = ${n * n} entries, got ${excluded.length ?? describe(excluded)}`,
    );
  }
  checkFlags(`${caller}: excluded`, excluded);
  return diagonal(n).map((is, at) => (is || excluded[at] ? 1 : 0));
}

/** `n * n`, 1 where row and column are equal. */
export function diagonal(n: number): Uint8Array {
  return Uint8Array.from({ length: n * n }, (_, at) => Number(at % (n + 1) === 0));
}
