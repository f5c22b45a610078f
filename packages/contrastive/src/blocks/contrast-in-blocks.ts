import * as tf from "@tensorflow/tfjs-core";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import type { Similarity } from "../distances/distance.js";
import { absent } from "../math/masked-log-sum-exp.js";
import { checkNumber } from "../shared/check-options.js";
import { l2Normalize } from "../shared/l2-normalize.js";

/** A contrastive loss whose similarity matrix is too large to hold. */
export interface BlockwiseInputs {
  /** `[n, dim]` */
  anchors: tf.Tensor2D;
  /** `[m, dim]`, m >= n; row i of the anchors is row i of the candidates where `withoutSelf` is true. */
  candidates: tf.Tensor2D;
  /** The label of each candidate, `m`; anchor i has the label of candidate i. */
  labels: Int32Array;
  temperature: number;
  similarity: Similarity;
  /** Anchors at once. */
  blockSize: number;
  /** Whether candidate i takes no part for anchor i. Default false. */
  withoutSelf?: boolean;
}

/**
 * `-1/|P(i)| sum_{j in P(i)} log q_ij` by cosine similarity, with the similarity matrix computed a block of anchors at a time in
 * the forward and again in the backward pass: exact gradients in memory `O(blockSize m + (n + m) dim)`.
 *
 * With `q` the softmax of a row and `y` its positives' shares, the gradient at the scores is `q - y`; so a block's gradients are
 * `(q - y) C / t` at its anchors and `(q - y)^T A / t` at the candidates.
 *
 * @returns `[n]`
 */
export function contrastInBlocks(caller: string, inputs: BlockwiseInputs): tf.Tensor1D {
  const { labels, temperature, similarity, withoutSelf = false } = inputs;
  const blockSize = checkNumber(`${caller}: blockSize`, inputs.blockSize, { min: 1, integer: true });
  if (similarity !== cosineSimilarity) {
    throw new Error(`${caller}: blockSize needs the default similarity, cosineSimilarity`);
  }
  const [n, m] = [inputs.anchors.shape[0], inputs.candidates.shape[0]];
  const sizes = new Map<number, number>();
  for (const label of labels) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  const counts = Float32Array.from({ length: n }, (_, i) => sizes.get(labels[i])! - (withoutSelf ? 1 : 0));
  const lonely = counts.indexOf(0);
  if (lonely >= 0) throw new Error(`${caller}: anchor ${lonely} has no positive`);

  return tf.tidy(() => {
    /** Scores and shares of the positives of anchors `first..first + rows`, each `[rows, m]`. */
    const block = (a: tf.Tensor, c: tf.Tensor, first: number, rows: number) => {
      const scores = tf.div(tf.matMul(tf.slice(a, first, rows), c, false, true), temperature);
      // The backward pass runs after the forward pass's tensors are gone, so each makes its own.
      const own = tf.tensor2d(labels.subarray(first, first + rows), [rows, 1], "int32");
      const same = tf.cast(tf.equal(own, tf.tensor1d(labels, "int32")), "float32");
      const share = tf.expandDims(tf.tensor1d(counts.subarray(first, first + rows)), 1);
      if (!withoutSelf) return { scores, shares: tf.div(same, share) };
      const columns = tf.range(0, m, 1, "int32");
      const self = tf.equal(tf.expandDims(tf.range(first, first + rows, 1, "int32"), 1), columns);
      return {
        scores: tf.where(self, tf.fill(scores.shape, absent), scores),
        shares: tf.div(tf.where(self, tf.zerosLike(same), same), share),
      };
    };
    const eachBlock = <T>(f: (first: number, rows: number) => T): T[] => {
      const results: T[] = [];
      for (let first = 0; first < n; first += blockSize)
        results.push(f(first, Math.min(blockSize, n - first)));
      return results;
    };
    const loss = tf.customGrad((a, c, save) => {
      const [anchors, candidates] = [a, c] as tf.Tensor[];
      (save as tf.GradSaveFunc)([anchors, candidates]);
      const [x, y] = [l2Normalize(anchors), l2Normalize(candidates)];
      const losses = eachBlock((first, rows) =>
        tf.tidy(() => {
          const { scores, shares } = block(x, y, first, rows);
          const below = tf.sub(scores, tf.max(scores, 1, true));
          const positives = tf.sum(
            tf.mul(shares, tf.where(tf.greater(shares, 0), below, tf.zerosLike(below))),
            1,
          );
          return tf.sub(tf.log(tf.sum(tf.exp(below), 1)), positives);
        }),
      );
      const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const rows = saved.map((z) => l2Normalize(z));
        let toCandidates: tf.Tensor = tf.zerosLike(rows[1]);
        const toAnchors = eachBlock((first, count) => {
          const [da, dc] = tf.tidy(() => {
            const { scores, shares } = block(rows[0], rows[1], first, count);
            const up = tf.div(tf.expandDims(tf.slice(dy, first, count), 1), temperature);
            const g = tf.mul(tf.sub(tf.softmax(scores), shares), up);
            const own = tf.slice(rows[0], first, count);
            return [tf.matMul(g, rows[1]), tf.add(toCandidates, tf.matMul(g, own, true))];
          });
          toCandidates.dispose();
          toCandidates = dc;
          return da;
        });
        return [tf.concat(toAnchors), toCandidates].map((dz, i) =>
          throughNormalization(saved[i], rows[i], dz),
        );
      };
      return { value: tf.concat(losses), gradFunc };
    });
    return loss(inputs.anchors, inputs.candidates) as tf.Tensor1D;
  });
}

/** The gradient at rows `z` from that at `y = z / |z|`: `(dy - y (y . dy)) / |z|`, and 0 for zero rows. */
function throughNormalization(z: tf.Tensor, y: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const tangent = tf.sub(dy, tf.mul(y, tf.sum(tf.mul(y, dy), 1, true)));
    // |z| as z . y, whose squares neither overflow nor vanish.
    const length = tf.sum(tf.mul(z, y), 1, true);
    const isZero = tf.equal(length, 0);
    const inverse = tf.div(1, tf.where(isZero, tf.onesLike(length), length));
    return tf.mul(tangent, tf.where(isZero, tf.zerosLike(inverse), inverse));
  });
}
