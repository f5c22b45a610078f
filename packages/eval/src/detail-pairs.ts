import type * as tf from "@tensorflow/tfjs-core";
import { cosineMatrix } from "./cosine.js";

/** A pair's outcome, for reports that show more than a percentage. */
export interface PairResult {
  pattern: string;
  correct: boolean;
  /** Similarities `[a with 1, a with 2, b with 1, b with 2]`, where 1 belongs to a and 2 to b. */
  similarities: [number, number, number, number];
}

export interface DetailPairScores {
  /** Share of pairs that count. */
  accuracy: number;
  /** Wilson's 95 % interval of the share. */
  interval: [number, number];
  count: number;
  byPattern: Record<string, { accuracy: number; count: number }>;
  pairs: PairResult[];
}

/**
 * Detail pairs in the protocol of MMVP-VLM (Tong et al. 2024, section 3.2): of two images that differ in one detail
 * and their two statements, a pair counts when each *statement* is more similar to its own image than to the other.
 * A tie does not count. Chance is one in four.
 *
 * @param imagesA `[pairs, dim]`. @param imagesB `[pairs, dim]`. @param statementsA of A, `[pairs, dim]`.
 * @param statementsB of B, `[pairs, dim]`. @param patterns the pattern of each pair.
 */
export function textImagePairs(
  imagesA: tf.Tensor2D,
  imagesB: tf.Tensor2D,
  statementsA: tf.Tensor2D,
  statementsB: tf.Tensor2D,
  patterns: readonly string[],
): Promise<DetailPairScores> {
  return score(
    "textImagePairs",
    [imagesA, imagesB],
    [statementsA, statementsB],
    patterns,
    ([a1, a2, b1, b2]) => a1 > b1 && b2 > a2,
  );
}

/**
 * The same without text: each image has a twin (the same content otherwise drawn), and a pair counts when *each of
 * the four images* is more similar to its own twin than to the other image's. A tie does not count.
 *
 * @param imagesA `[pairs, dim]`. @param imagesB `[pairs, dim]`. @param twinsA `[pairs, dim]`. @param twinsB `[pairs, dim]`.
 */
export function imageImagePairs(
  imagesA: tf.Tensor2D,
  imagesB: tf.Tensor2D,
  twinsA: tf.Tensor2D,
  twinsB: tf.Tensor2D,
  patterns: readonly string[],
): Promise<DetailPairScores> {
  return score(
    "imageImagePairs",
    [imagesA, imagesB],
    [twinsA, twinsB],
    patterns,
    ([a1, a2, b1, b2]) => a1 > a2 && b2 > b1 && a1 > b1 && b2 > a2,
  );
}

async function score(
  where: string,
  [a, b]: [tf.Tensor2D, tf.Tensor2D],
  [one, two]: [tf.Tensor2D, tf.Tensor2D],
  patterns: readonly string[],
  counts: (similarities: PairResult["similarities"]) => boolean,
): Promise<DetailPairScores> {
  const n = patterns.length;
  for (const tensor of [a, b, one, two]) {
    if (tensor.shape[0] !== n || n === 0) {
      throw new Error(
        `${where}: expected ${n} rows (at least 1), one for each pattern, got [${tensor.shape}]`,
      );
    }
  }
  const [a1, a2, b1, b2] = [
    await cosineMatrix(a, one),
    await cosineMatrix(a, two),
    await cosineMatrix(b, one),
    await cosineMatrix(b, two),
  ];
  const pairs = patterns.map((pattern, i): PairResult => {
    const similarities: PairResult["similarities"] = [a1[i][i], a2[i][i], b1[i][i], b2[i][i]];
    return { pattern, similarities, correct: counts(similarities) };
  });
  const share = (list: PairResult[]) => list.filter(({ correct }) => correct).length / list.length;
  const byPattern = Object.fromEntries(
    [...new Set(patterns)].map((pattern) => {
      const own = pairs.filter((pair) => pair.pattern === pattern);
      return [pattern, { accuracy: share(own), count: own.length }];
    }),
  );
  return { accuracy: share(pairs), interval: wilsonInterval(share(pairs), n), count: n, byPattern, pairs };
}

/** Wilson's score interval of a share of `n` trials (Wilson 1927), 95 % by default. */
export function wilsonInterval(share: number, n: number, z = 1.959964): [number, number] {
  const center = (share + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((share * (1 - share)) / n + z ** 2 / (4 * n ** 2));
  return [Math.max(0, center - half), Math.min(1, center + half)];
}
