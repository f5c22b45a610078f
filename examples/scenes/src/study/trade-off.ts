import { type Comparison, comparisonOf, figure, type PartResults } from "./comparisons.js";
import type { StudyMethod } from "./plan.js";
import type { RawResult } from "./raw-results.js";

interface Point {
  P: number;
  D: number;
}

/** The points of a method that no other of its points beats in both, by rising P and so by falling D. */
export function envelope(points: readonly Point[]): Point[] {
  const beaten = (point: Point) =>
    points.some(
      (other) =>
        other !== point &&
        other.P >= point.P &&
        other.D >= point.D &&
        (other.P > point.P || other.D > point.D),
    );
  return points.filter((point) => !beaten(point)).sort((a, b) => a.P - b.P);
}

/** y at an x, linear between points that are ordered by rising x, and flat beyond them. */
export function interpolate(points: readonly (readonly [x: number, y: number])[], x: number): number {
  const [first] = points;
  if (x <= first[0]) return first[1];
  for (const [i, next] of points.entries()) {
    if (i === 0 || next[0] < x) continue;
    const before = points[i - 1];
    return before[1] + ((next[1] - before[1]) * (x - before[0])) / (next[0] - before[0] || 1);
  }
  return points.at(-1)![1];
}

const dAt = (points: readonly Point[], P: number) =>
  interpolate(
    points.map((point) => [point.P, point.D]),
    P,
  );

const pAt = (points: readonly Point[], D: number) =>
  interpolate(points.map((point) => [point.D, point.P] as const).reverse(), D);

/**
 * Compares two methods by the envelopes of all their configurations, within each set and seed; `original` is a point of both.
 *
 * @param at "P": D of one minus D of the other at the largest P that both reach; "D": P of one minus P of the other at the smallest D
 *   that both keep
 */
export function compareEnvelopes(
  results: PartResults,
  methods: readonly StudyMethod[],
  { of, minus, at }: { of: string; minus: string; at: "P" | "D" },
): Comparison {
  const [P, D] = [figure("P strict"), figure("D")];
  const curve = (result: RawResult, method: string) =>
    envelope(
      ["original", ...methods.filter((own) => own.method === method).map(({ name }) => name)].map((name) => ({
        P: P(result.methods[name]),
        D: D(result.methods[name]),
      })),
    );
  return comparisonOf(
    results.map(({ set, result }) => {
      const [a, b] = [curve(result, of), curve(result, minus)];
      const [endA, endB] = [a.at(-1)!, b.at(-1)!];
      if (at === "P") {
        const reached = Math.min(endA.P, endB.P);
        return { set, value: dAt(a, reached) - dAt(b, reached) };
      }
      const kept = Math.max(endA.D, endB.D);
      return { set, value: pAt(a, kept) - pAt(b, kept) };
    }),
  );
}
