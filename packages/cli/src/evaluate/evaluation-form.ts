import type { Evaluation } from "./evaluation.js";

/** An evaluation and the job that made it. */
export interface NamedEvaluation {
  job: string;
  evaluation: Evaluation;
}

/**
 * Checks that two evaluations of a run can be compared: they must have the same figures, the same patterns in the same order, and as many
 * features.
 *
 * @throws naming both jobs and the first part that one of them lacks
 */
export function checkSameForm(one: NamedEvaluation, other: NamedEvaluation): void {
  for (const [has, lacks] of [
    [one, other],
    [other, one],
  ] as const) {
    const there = new Set(partsOf(lacks.evaluation));
    const part = partsOf(has.evaluation).find((each) => !there.has(each));
    if (part === undefined) continue;
    throw new Error(
      `the evaluation of ${has.job} has ${part}, and that of ${lacks.job} has not: evaluations must give the same for every method and seed`,
    );
  }
}

function partsOf({ figures, patterns = [], features }: Evaluation): string[] {
  return [
    ...Object.entries(figures).flatMap(([group, byName]) =>
      Object.keys(byName).map((name) => `the figure ${group}: ${name}`),
    ),
    ...patterns.map(
      ({ measure, pattern, count }, i) => `pattern ${i + 1}, ${measure}: ${pattern} of ${count} pairs`,
    ),
    ...(features ? [`features of ${features.values.length} x ${features.values[0]?.length ?? 0}`] : []),
  ];
}
