import * as tf from "@tensorflow/tfjs-core";
import { checkBatch, checkEmbeddings } from "../check-embeddings.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

/** How near a batch of embeddings is to collapse. */
export interface CollapseRecord {
  /** Mean standard deviation of the normalised rows' dimensions times `sqrt(dim)`: about 1 for rows all over the sphere, 0 for one point. */
  spread: number;
  /** Share of dimensions whose standard deviation is below a hundredth of the mean one. */
  deadDimensions: number;
  /** Mean cosine similarity of different rows: 1 for one point. A row of zeros has a cosine of 0 with every other. */
  meanCosine: number;
}

/**
 * Watches for collapse (Chen and He 2021, section 4.1: the standard deviation of normalised features).
 *
 * @param embeddings `[n, dim]`, n >= 2
 * @throws on values that are not finite
 */
export async function collapse(
  embeddings: tf.Tensor,
  options: {
    /** `collapsed` is true where the spread is below it, in [0, 1]. Default 0.1. */
    warnBelow?: number;
  } = {},
): Promise<CollapseRecord & { collapsed: boolean }> {
  const { warnBelow = 0.1 } = checkOptions("collapse", options, { warnBelow: true });
  checkNumber("collapse: warnBelow", warnBelow, { min: 0, max: 1 });
  const [deviations, sums] = tf.tidy(() => {
    const x = checkEmbeddings("collapse: embeddings", embeddings);
    checkBatch("collapse", x.shape[0]);
    const rows = l2Normalize(x);
    const center = tf.mean(rows, 0, true);
    const squares = tf.stack([tf.sum(tf.square(center)), tf.sum(tf.square(rows))]);
    return [tf.sqrt(tf.mean(tf.square(tf.sub(rows, center)), 0)), squares];
  });
  const values = Array.from((await deviations.data()) as Float32Array);
  const [square, own] = await sums.data();
  tf.dispose([deviations, sums]);
  const average = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (!Number.isFinite(average)) throw new Error("collapse: embeddings must be finite");
  const n = embeddings.shape[0];
  const spread = average * Math.sqrt(values.length);
  return {
    spread,
    deadDimensions: values.filter((value) => value < average / 100 || average === 0).length / values.length,
    // |mean row|^2 is the mean of all n^2 cosines, of which n are of a row with itself: 1, and 0 where the row is 0.
    meanCosine: (square * n - own / n) / (n - 1),
    collapsed: spread < warnBelow,
  };
}
