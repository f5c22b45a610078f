import * as tf from "@tensorflow/tfjs-core";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { checkEmbeddings } from "../check-embeddings.js";
import { checkOptions } from "../shared/check-options.js";

/** How the variance of embeddings is spread over directions. */
export interface Spectrum {
  /** Singular values of the rows, largest first. */
  singularValues: number[];
  /** `exp` of the entropy of the singular values' shares (Roy and Vetterli 2007): between 1 and the width. */
  effectiveRank: number;
  /** RankMe (Garrido et al. 2023) is the effective rank of the rows as they are, not centred. */
  centered: boolean;
}

/**
 * The effective rank of embeddings: a width of 512 of which few directions are used shows dimensional collapse.
 *
 * @param embeddings `[n, dim]`
 * @throws on values that are not finite
 */
export async function effectiveRank(
  embeddings: tf.Tensor,
  options: {
    /** Whether the mean row is subtracted first. Default false, as in RankMe. */
    centered?: boolean;
  } = {},
): Promise<Spectrum> {
  const { centered = false } = checkOptions("effectiveRank", options, { centered: "boolean" });
  const [gram, scale] = tf.tidy(() => {
    const x = checkEmbeddings("effectiveRank: embeddings", embeddings);
    const rows = centered ? tf.sub(x, tf.mean(x, 0, true)) : x;
    const largest = tf.maximum(tf.max(tf.abs(rows)), 1e-30);
    const scaled = tf.div(rows, largest) as tf.Tensor2D;
    const isTall = x.shape[0] >= x.shape[1];
    return [tf.matMul(scaled, scaled, isTall, !isTall), largest];
  });
  const [values, [factor]] = await Promise.all([gram.array() as Promise<number[][]>, scale.data()]);
  tf.dispose([gram, scale]);
  if (!values.flat().every(Number.isFinite)) throw new Error("effectiveRank: embeddings must be finite");
  const { realEigenvalues } = new EigenvalueDecomposition(new Matrix(values), { assumeSymmetric: true });
  const singularValues = realEigenvalues
    .map((value) => Math.sqrt(Math.max(value, 0)) * factor)
    .sort((a, b) => b - a);
  const total = singularValues.reduce((sum, value) => sum + value, 0);
  const entropy = singularValues.reduce((sum, value) => {
    const share = total > 0 ? value / total : 0;
    return share > 0 ? sum - share * Math.log(share) : sum;
  }, 0);
  return { singularValues, effectiveRank: total > 0 ? Math.exp(entropy) : 0, centered };
}
