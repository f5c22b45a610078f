import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, checkLabels, type Labels } from "../check-embeddings.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

/** Cosines that are in memory at a time, 16 MiB. */
const blockSize = 2 ** 22;

/** Counts of cosine similarities by bin. */
export interface SimilarityHistogram {
  /** The bins' bounds, one more than there are bins, from -1 to 1. */
  edges: number[];
  /** Pairs of different rows of one label, each counted once. */
  positive: number[];
  /** Pairs of rows of different labels, each counted once. */
  negative: number[];
}

/**
 * The cosine similarities of positive and of negative pairs, as histograms.
 *
 * @param embeddings `[n, dim]`. @param labels `n`.
 * @throws on values that are not finite
 */
export async function similarityHistogram(
  embeddings: tf.Tensor,
  labels: Labels,
  options: {
    /** Bins of the cosines in [-1, 1], at least 1. Default 20. */
    bins?: number;
  } = {},
): Promise<SimilarityHistogram> {
  const { bins = 20 } = checkOptions("similarityHistogram", options, { bins: true });
  checkNumber("similarityHistogram: bins", bins, { min: 1, integer: true });
  const histogram: SimilarityHistogram = {
    edges: Array.from({ length: bins + 1 }, (_, i) => -1 + (2 * i) / bins),
    positive: new Array<number>(bins).fill(0),
    negative: new Array<number>(bins).fill(0),
  };
  const rows = tf.tidy(() => l2Normalize(checkEmbeddings("similarityHistogram: embeddings", embeddings)));
  try {
    const n = rows.shape[0];
    checkLabels("similarityHistogram: labels", labels, n);
    const count = Math.max(1, Math.floor(blockSize / n));
    for (let first = 0; first < n; first += count) {
      const block = tf.tidy(() =>
        tf.matMul(tf.slice(rows, first, Math.min(count, n - first)), rows, false, true),
      );
      const cosines = await block.data();
      block.dispose();
      for (let i = first; i < Math.min(n, first + count); i++) {
        for (let j = i + 1; j < n; j++) {
          const cosine = cosines[(i - first) * n + j];
          if (!Number.isFinite(cosine)) throw new Error("similarityHistogram: embeddings must be finite");
          const bin = Math.min(bins - 1, Math.max(0, Math.floor(((cosine + 1) / 2) * bins)));
          histogram[labels[i] === labels[j] ? "positive" : "negative"][bin]++;
        }
      }
    }
  } finally {
    rows.dispose();
  }
  return histogram;
}
