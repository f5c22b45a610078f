import { figure, type PartResults, spreadOf } from "./comparisons.js";
import type { StudyMethod, StudyPart } from "./plan.js";

/** Percent points of D that a configuration may cost (docs/study/protocol.md). */
const allowedFall = 5;

/** A method's configuration by the protocol's rule: the highest P among those that keep D; where none does, the highest D. */
export function choose(part: StudyPart, results: PartResults): StudyMethod {
  const least = spreadOf(results, figure("D"), "original").mean - allowedFall;
  const candidates = part.methods.map((method) => ({
    method,
    D: spreadOf(results, figure("D"), method.name).mean,
    P: spreadOf(results, figure("P strict"), method.name).mean,
  }));
  const kept = candidates.filter(({ D }) => D >= least);
  const [best] = kept.length > 0 ? kept.sort((a, b) => b.P - a.P) : candidates.sort((a, b) => b.D - a.D);
  return best.method;
}
