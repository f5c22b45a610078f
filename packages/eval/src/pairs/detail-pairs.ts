import * as tf from "@tensorflow/tfjs-core";
import { type Features, openSameWidth } from "../features/open-features.js";
import { rowCosines } from "../features/similarity-rows.js";
import { checkTieTolerance, type TieOptions } from "../features/tie-tolerance.js";
import { checkChoice, checkOptions, describe } from "../shared/check-options.js";
import { wilsonInterval } from "../statistics/wilson-interval.js";

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

export interface ImageImageOptions extends TieOptions {
  /**
   * The rule. `"strict"` (the default): each of the four images is more similar to its own twin than to the other image's.
   * `"two-way"`: both images of the pair are more similar to their own twins; the twins are not asked. `"matching"`: the two similarities to
   * the own twins have a larger sum than the two others, as in GroupMatch (Zhu et al. 2025, "Test-Time Matching"); an encoder that finds one of
   * the twins similar to everything is not punished for it.
   */
  rule?: "strict" | "two-way" | "matching";
}

export interface TextImageOptions extends TieOptions {
  /**
   * The rule. `"strict"` (the default): each statement is more similar to its own image than to the other. `"matching"`: the two
   * similarities of a statement and its own image have a larger sum than the two others.
   */
  rule?: "strict" | "matching";
}

/**
 * Detail pairs in the protocol of MMVP-VLM (Tong et al. 2024, section 3.2): of two images that differ in one detail
 * and their two statements, a pair counts when each *statement* is more similar to its own image than to the other.
 * A tie does not count. Chance is one in four, or one in two with the rule `"matching"`.
 *
 * @param imagesA `[pairs, dim]`. @param imagesB `[pairs, dim]`. @param statementsA of A, `[pairs, dim]`.
 * @param statementsB of B, `[pairs, dim]`. @param patterns the pattern of each pair.
 */
export async function textImagePairs(
  imagesA: Features,
  imagesB: Features,
  statementsA: Features,
  statementsB: Features,
  patterns: readonly string[],
  options?: TextImageOptions,
): Promise<DetailPairScores> {
  const checked = checkOptions("textImagePairs", options, { tieTolerance: true, rule: true });
  const tie = checkTieTolerance("textImagePairs", checked);
  const rule = checkChoice("textImagePairs: rule", checked.rule ?? "strict", ["strict", "matching"]);
  return score(
    "textImagePairs",
    { imagesA, imagesB, statementsA, statementsB },
    patterns,
    rule === "matching"
      ? (similarities) => matched(similarities, tie)
      : ([a1, a2, b1, b2]) => a1 - b1 > tie && b2 - a2 > tie,
  );
}

/**
 * The same without text: each image has a twin (the same content otherwise drawn), and a pair counts when each image is more
 * similar to its own twin than to the other's. A tie does not count. Chance is one in six, or one in four with the rule
 * `"two-way"`, where similarities are independent; one in two with `"matching"`.
 *
 * @param imagesA `[pairs, dim]`. @param imagesB `[pairs, dim]`. @param twinsA `[pairs, dim]`. @param twinsB `[pairs, dim]`.
 */
export async function imageImagePairs(
  imagesA: Features,
  imagesB: Features,
  twinsA: Features,
  twinsB: Features,
  patterns: readonly string[],
  options?: ImageImageOptions,
): Promise<DetailPairScores> {
  const checked = checkOptions("imageImagePairs", options, { tieTolerance: true, rule: true });
  const tie = checkTieTolerance("imageImagePairs", checked);
  const rule = checkChoice("imageImagePairs: rule", checked.rule ?? "strict", [
    "strict",
    "two-way",
    "matching",
  ]);
  return score("imageImagePairs", { imagesA, imagesB, twinsA, twinsB }, patterns, (similarities) => {
    if (rule === "matching") return matched(similarities, tie);
    const [a1, a2, b1, b2] = similarities;
    const images = a1 - a2 > tie && b2 - b1 > tie;
    return rule === "two-way" ? images : images && a1 - b1 > tie && b2 - a2 > tie;
  });
}

/** Whether a with 1 and b with 2 is the matching of larger sum. The tolerance is that of each cosine, as a mean of two differences. */
function matched([a1, a2, b1, b2]: PairResult["similarities"], tie: number): boolean {
  return a1 + b2 - (a2 + b1) > 2 * tie;
}

async function score<K extends string>(
  caller: string,
  inputs: Record<K, Features>,
  patterns: readonly string[],
  counts: (similarities: PairResult["similarities"]) => boolean,
): Promise<DetailPairScores> {
  if (
    !Array.isArray(patterns) ||
    patterns.length === 0 ||
    patterns.some((name) => typeof name !== "string")
  ) {
    throw new TypeError(
      `${caller}: patterns must be a name for each of at least one pair, got ${describe(patterns)}`,
    );
  }
  const opened = await openSameWidth(caller, inputs);
  try {
    const n = patterns.length;
    for (const [name, { shape }] of Object.entries<tf.Tensor2D>(opened)) {
      if (shape[0] !== n) {
        throw new Error(`${caller}: ${name} must have ${n} rows, one for each pattern, got [${shape}]`);
      }
    }
    const [a, b, one, two] = Object.values<tf.Tensor2D>(opened);
    const columns = [
      await rowCosines(a, one),
      await rowCosines(a, two),
      await rowCosines(b, one),
      await rowCosines(b, two),
    ];
    const pairs = patterns.map((pattern, i): PairResult => {
      const similarities = columns.map((column) => column[i]) as PairResult["similarities"];
      return { pattern, similarities, correct: counts(similarities) };
    });
    return summary(pairs);
  } finally {
    tf.dispose(opened as tf.NamedTensorMap);
  }
}

function summary(pairs: PairResult[]): DetailPairScores {
  const share = (list: PairResult[]) => list.filter(({ correct }) => correct).length / list.length;
  const byPattern = Object.fromEntries(
    [...new Set(pairs.map(({ pattern }) => pattern))].map((pattern) => {
      const own = pairs.filter((pair) => pair.pattern === pattern);
      return [pattern, { accuracy: share(own), count: own.length }];
    }),
  );
  const count = pairs.length;
  return { accuracy: share(pairs), interval: wilsonInterval(share(pairs), count), count, byPattern, pairs };
}
