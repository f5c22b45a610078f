import { type MeanInterval, meanInterval } from "@dcr-js/eval";
import { type FigureName, figurePlaces, type StudyPart } from "./plan.js";
import type { MethodResult, RawResult } from "./raw-results.js";

/** A part's results by model set, and for each by seed. */
export type PartResults = { set: number; seed: number; result: RawResult }[];

/** A number of a method in one run, in percent where it is a share. */
export type Measure = (method: MethodResult) => number;

export const figure = (name: FigureName): Measure => {
  const [group, own] = figurePlaces[name];
  return ({ figures }) => 100 * figures[group][own];
};

/** A difference with the protocol's two intervals. */
export interface Comparison {
  mean: number;
  /** Student's t over model sets, seeds averaged first: the primary interval. Undefined with one set. */
  overSets?: MeanInterval;
  /** Student's t over all runs. Undefined with one run. */
  overRuns?: MeanInterval;
}

export const average = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Differences with the same set and seed, `of` minus `minus`. */
export function compare(
  results: PartResults,
  measure: Measure,
  { of, minus }: { of: string; minus: string },
): Comparison {
  const differences = results.map(({ set, result: { methods } }) => ({
    set,
    value: measure(methods[of]) - measure(methods[minus]),
  }));
  return comparisonOf(differences);
}

export function comparisonOf(differences: readonly { set: number; value: number }[]): Comparison {
  const sets = [...new Set(differences.map(({ set }) => set))];
  const bySet = sets.map((set) =>
    average(differences.filter((entry) => entry.set === set).map(({ value }) => value)),
  );
  const all = differences.map(({ value }) => value);
  return {
    mean: average(all),
    ...(bySet.length > 1 && { overSets: meanInterval(bySet) }),
    ...(all.length > 1 && { overRuns: meanInterval(all) }),
  };
}

/** Mean and sample standard deviation over all runs. */
export const spreadOf = (results: PartResults, measure: Measure, method: string) =>
  spread(results.map(({ result }) => measure(result.methods[method])));

/** Mean and sample standard deviation; a deviation of 0 for a single value. */
export function spread(values: readonly number[]): { mean: number; std: number } {
  const mean = average(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}

/** The methods of a part, `original` first. */
export const methodNames = (part: StudyPart): string[] => [
  "original",
  ...part.methods.map(({ name }) => name),
];
