import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkEmbeddings } from "../check-embeddings.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkOptions, describe } from "../shared/check-options.js";
import { besideSelf, checkFlags, maskBy } from "./masks.js";
import { contrast, type MultiPositiveOptions, multiPositiveOptionNames } from "./multi-positive.js";

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
  const caller = "supCon";
  const { excluded, ...rest } = checkOptions<SupConOptions<R>>(caller, options, multiPositiveOptionNames);
  return tf.tidy(() => {
    const rows = checkEmbeddings(`${caller}: features`, features);
    const n = rows.shape[0];
    checkBatch(caller, n);
    if (positives?.length !== n && positives?.length !== n * n) {
      throw new Error(
        `${caller}: positives must be ${n} labels or ${n} x ${n} = ${n * n} entries of a mask, got ${positives?.length ?? describe(positives)}`,
      );
    }
    checkFlags(`${caller}: positives`, positives);
    const isLabels = positives.length === n;
    return contrast(caller, {
      anchors: rows,
      candidates: rows,
      positive: maskBy(
        n,
        isLabels ? (i, j) => positives[i] === positives[j] : (i, j) => positives[i * n + j],
      ),
      excluded: besideSelf(`${caller}: excluded`, excluded, n),
      options: rest,
      labels: isLabels ? (positives as ArrayLike<number>) : undefined,
    });
  }) as Reduced<R>;
}
