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
 * In float64 on the host, in `O(n dim min(n, dim))`: in float32 the directions that are not used would have lengths of rounding, which add up.
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
  const x = tf.tidy(() => tf.clone(checkEmbeddings("effectiveRank: embeddings", embeddings)));
  const [n, dim] = x.shape;
  const data = await x.data();
  x.dispose();
  if (!data.every(Number.isFinite)) throw new Error("effectiveRank: embeddings must be finite");
  const rows = Array.from({ length: n }, (_, i) => Float64Array.from(data.subarray(i * dim, (i + 1) * dim)));
  if (centered) subtractMean(rows);
  const gram = n >= dim ? gramOfColumns(rows) : gramOfRows(rows);
  const { realEigenvalues } = new EigenvalueDecomposition(new Matrix(gram), { assumeSymmetric: true });
  const singularValues = realEigenvalues.map((value) => Math.sqrt(Math.max(value, 0))).sort((a, b) => b - a);
  const total = singularValues.reduce((sum, value) => sum + value, 0);
  const entropy = singularValues.reduce((sum, value) => {
    const share = total > 0 ? value / total : 0;
    return share > 0 ? sum - share * Math.log(share) : sum;
  }, 0);
  return { singularValues, effectiveRank: total > 0 ? Math.exp(entropy) : 0, centered };
}

function subtractMean(rows: readonly Float64Array[]): void {
  const mean = rows[0].map((_, d) => rows.reduce((sum, row) => sum + row[d], 0) / rows.length);
  for (const row of rows) for (let d = 0; d < row.length; d++) row[d] -= mean[d];
}

/** Inner products of all pairs of columns, `[dim, dim]`. */
function gramOfColumns(rows: readonly Float64Array[]): Float64Array[] {
  const dim = rows[0].length;
  const gram = Array.from({ length: dim }, () => new Float64Array(dim));
  for (const row of rows) {
    for (let i = 0; i < dim; i++) {
      for (let j = i; j < dim; j++) gram[i][j] += row[i] * row[j];
    }
  }
  return mirrored(gram);
}

/** Inner products of all pairs of rows, `[n, n]`. */
function gramOfRows(rows: readonly Float64Array[]): Float64Array[] {
  const gram = rows.map(() => new Float64Array(rows.length));
  for (const [i, a] of rows.entries()) {
    for (let j = i; j < rows.length; j++) {
      const b = rows[j];
      for (let d = 0; d < a.length; d++) gram[i][j] += a[d] * b[d];
    }
  }
  return mirrored(gram);
}

/** A matrix with its upper half in its lower one. */
function mirrored(matrix: Float64Array[]): Float64Array[] {
  for (let i = 0; i < matrix.length; i++) for (let j = 0; j < i; j++) matrix[i][j] = matrix[j][i];
  return matrix;
}
