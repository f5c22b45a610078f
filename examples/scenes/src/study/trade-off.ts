import { type Comparison, comparisonOf, figure, type PartResults } from "./comparisons.js";
import type { StudyMethod } from "./plan.js";
import type { RawResult } from "./raw-results.js";

interface Point {
  P: number;
  D: number;
}

/** The points of a method that no other of its points beats in both, by rising P. `original` is a point of every method. */
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

/** D at a P within an envelope, linear between its points. */
export function dAt(points: readonly Point[], P: number): number {
  const [first] = points;
  if (P <= first.P) return first.D;
  for (const [i, next] of points.entries()) {
    if (i === 0 || next.P < P) continue;
    const before = points[i - 1];
    return before.D + ((next.D - before.D) * (P - before.P)) / (next.P - before.P || 1);
  }
  return points.at(-1)!.D;
}

/** D of one method minus D of another at the largest P that both reach, within each set and seed. */
export function atEqualP(
  results: PartResults,
  methods: readonly StudyMethod[],
  { of, minus }: { of: string; minus: string },
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
      const reached = Math.min(a.at(-1)!.P, b.at(-1)!.P);
      return { set, value: dAt(a, reached) - dAt(b, reached) };
    }),
  );
}
