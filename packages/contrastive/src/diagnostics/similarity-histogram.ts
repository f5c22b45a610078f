import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, checkLabels, type Labels } from "../check-embeddings.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";

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
  const matrix = tf.tidy(() => {
    const x = checkEmbeddings("similarityHistogram: embeddings", embeddings);
    checkLabels("similarityHistogram: labels", labels, x.shape[0]);
    return cosineSimilarity(x, x);
  });
  const n = matrix.shape[0];
  const cosines = await matrix.data();
  matrix.dispose();
  const histogram: SimilarityHistogram = {
    edges: Array.from({ length: bins + 1 }, (_, i) => -1 + (2 * i) / bins),
    positive: new Array<number>(bins).fill(0),
    negative: new Array<number>(bins).fill(0),
  };
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const cosine = cosines[i * n + j];
      if (!Number.isFinite(cosine)) throw new Error("similarityHistogram: embeddings must be finite");
      const bin = Math.min(bins - 1, Math.max(0, Math.floor(((cosine + 1) / 2) * bins)));
      histogram[labels[i] === labels[j] ? "positive" : "negative"][bin]++;
    }
  }
  return histogram;
}
