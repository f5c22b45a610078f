import { meanInterval } from "@dcr-js/eval";
import { meanOf, type RunFindings } from "./results.js";

/** A figure of an evaluation. */
export interface Figure {
  group: string;
  name: string;
}

/** A difference between two methods with its 95 % interval, in percent points; no interval where one cannot be known. */
export interface Difference {
  mean: number;
  interval?: [number, number];
}

/** The difference of two methods: paired by seed where there are several, else with standard errors as if the two had been measured on different examples. */
export function difference(
  { evaluations, results }: RunFindings,
  { group, name }: Figure,
  { from, to }: { from: string; to: string },
): Difference {
  const values = (method: string) => evaluations[method]!.map(({ figures }) => 100 * figures[group]![name]!);
  const [before, after] = [values(from), values(to)];
  const changes = after.map((value, seed) => value - before[seed]!);
  if (results.seeds.length > 1) return meanInterval(changes);
  const errors = [from, to].map((method) => evaluations[method]![0]!.standardErrors?.[group]?.[name]);
  const mean = meanOf(changes);
  if (errors.includes(undefined)) return { mean };
  const half = 1.959963984540054 * Math.hypot(...(errors as number[])) * 100;
  return { mean, interval: [mean - half, mean + half] };
}

/** Percent points with their sign. */
export const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

/** The basis of the intervals of {@link difference}. */
export const basisOf = (seeds: readonly number[]): string =>
  seeds.length > 1 ? `over ${seeds.length} seeds, paired` : "one seed: from the number of examples only";
