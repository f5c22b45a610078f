import { checkBoolean, checkChoice, describe } from "../shared/check-options.js";
import { wilsonInterval } from "../statistics/wilson-interval.js";

/** A share with its count and Wilson's 95 % interval. */
export interface Share {
  accuracy: number;
  count: number;
  interval: [number, number];
}

/**
 * MMVP (Tong et al. 2024): of two questions to a pair of images both must be right.
 *
 * @param right whether each answer is right; questions 0 and 1 are a pair, 2 and 3 the next
 */
export function mmvpScores(right: readonly boolean[]): { pairs: Share; questions: Share } {
  checkRight("mmvpScores", right, 2);
  const pairs = Array.from({ length: right.length / 2 }, (_, i) => right[2 * i] && right[2 * i + 1]);
  return { pairs: shareOf(pairs), questions: shareOf(right) };
}

/**
 * NaturalBench (Li et al. 2024): two questions to two images.
 *
 * @param right four for each group: question 0 with images 0 and 1, then question 1 with images 0 and 1
 */
export function naturalBenchScores(
  right: readonly boolean[],
): Record<"answers" | "questions" | "images" | "groups", Share> {
  checkRight("naturalBenchScores", right, 4);
  const groups = Array.from({ length: right.length / 4 }, (_, i) => right.slice(4 * i, 4 * i + 4));
  return {
    answers: shareOf(right),
    questions: shareOf(groups.flatMap(([q0i0, q0i1, q1i0, q1i1]) => [q0i0 && q0i1, q1i0 && q1i1])),
    images: shareOf(groups.flatMap(([q0i0, q0i1, q1i0, q1i1]) => [q0i0 && q1i0, q0i1 && q1i1])),
    groups: shareOf(groups.map((group) => group.every(Boolean))),
  };
}

export interface CVBenchScores {
  /** Mean of both: the benchmark's figure. */
  overall: number;
  /** Mean of the accuracies on ADE20K and COCO. */
  accuracy2D: number;
  /** Accuracy on Omni3D. */
  accuracy3D: number;
  bySource: Record<"ADE20K" | "COCO" | "Omni3D", Share>;
}

/** CV-Bench (Tong et al. 2024, Cambrian-1, section 3.2), from answers that are right or wrong and their sources. */
export function cvBenchScores(results: readonly { right: boolean; source: string }[]): CVBenchScores {
  const sources = ["ADE20K", "COCO", "Omni3D"] as const;
  checkResults("cvBenchScores", results);
  for (const [i, { right, source }] of results.entries()) {
    checkBoolean(`cvBenchScores: results[${i}].right`, right);
    checkChoice(`cvBenchScores: results[${i}].source`, source, sources);
  }
  const of = (source: string) => {
    const own = results.filter((result) => result.source === source);
    if (own.length === 0) throw new Error(`cvBenchScores: results must hold answers of ${source}, got none`);
    return shareOf(own.map(({ right }) => right));
  };
  const bySource = { ADE20K: of("ADE20K"), COCO: of("COCO"), Omni3D: of("Omni3D") };
  const accuracy2D = (bySource.ADE20K.accuracy + bySource.COCO.accuracy) / 2;
  const accuracy3D = bySource.Omni3D.accuracy;
  return { overall: (accuracy2D + accuracy3D) / 2, accuracy2D, accuracy3D, bySource };
}

/**
 * ScienceQA (Lu et al. 2022): the share of right answers; its IMG figure counts the questions with an image.
 *
 * @param results of each question whether its answer is right, and whether it has an image
 */
export function scienceQAScores(results: readonly { right: boolean; hasImage: boolean }[]): {
  all: Share;
  image: Share;
} {
  checkResults("scienceQAScores", results);
  for (const [i, { hasImage }] of results.entries()) {
    checkBoolean(`scienceQAScores: results[${i}].hasImage`, hasImage);
  }
  const rightOf = (list: readonly { right: boolean }[]) => list.map(({ right }) => right);
  const withImage = results.filter(({ hasImage }) => hasImage);
  checkRight("scienceQAScores", rightOf(results), 1);
  checkRight("scienceQAScores: with an image", rightOf(withImage), 1);
  return { all: shareOf(rightOf(results)), image: shareOf(rightOf(withImage)) };
}

export interface POPEScores extends Share {
  /** Of "yes"; NaN where no answer is yes. */
  precision: number;
  /** Of "yes"; NaN where no label is yes. */
  recall: number;
  /** NaN where neither an answer nor a label is yes. */
  f1: number;
  /** Share of answers that are yes. */
  yesRatio: number;
}

/** POPE (Li et al. 2023, section 5.1), from answers as `popeAnswer` reads them. */
export function popeScores(results: readonly { answer: "yes" | "no"; label: "yes" | "no" }[]): POPEScores {
  checkResults("popeScores", results);
  for (const [i, result] of results.entries()) {
    for (const key of ["answer", "label"] as const) {
      if (result[key] === "yes" || result[key] === "no") continue;
      throw new Error(`popeScores: results[${i}].${key} must be yes or no, got ${describe(result[key])}`);
    }
  }
  const count = (answer: string, label: string) =>
    results.filter((result) => result.answer === answer && result.label === label).length;
  const [truePositive, falsePositive, falseNegative] = [
    count("yes", "yes"),
    count("yes", "no"),
    count("no", "yes"),
  ];
  return {
    ...shareOf(results.map(({ answer, label }) => answer === label)),
    precision: truePositive / (truePositive + falsePositive),
    recall: truePositive / (truePositive + falseNegative),
    f1: (2 * truePositive) / (2 * truePositive + falsePositive + falseNegative),
    yesRatio: (truePositive + falsePositive) / results.length,
  };
}

function checkResults(caller: string, results: readonly object[]): void {
  if (!Array.isArray(results) || results.length === 0) {
    throw new TypeError(`${caller}: results must hold at least one answer, got ${describe(results)}`);
  }
  const bad = results.findIndex((result) => typeof result !== "object" || result === null);
  if (bad >= 0)
    throw new TypeError(`${caller}: results[${bad}] must be an object, got ${describe(results[bad])}`);
}

function checkRight(caller: string, right: readonly boolean[], group: number): void {
  if (!Array.isArray(right) || right.length === 0 || right.length % group !== 0) {
    throw new Error(
      `${caller}: right must hold ${group} outcomes for each of at least one group, got ${describe(right)}`,
    );
  }
  const bad = right.findIndex((value) => typeof value !== "boolean");
  if (bad >= 0)
    throw new TypeError(`${caller}: right[${bad}] must be true or false, got ${describe(right[bad])}`);
}

function shareOf(outcomes: readonly boolean[]): Share {
  const count = outcomes.length;
  const accuracy = outcomes.filter(Boolean).length / count;
  return { accuracy, count, interval: wilsonInterval(accuracy, count) };
}
