import { type Cell, cellsOf, readResult } from "./cells.js";
import type { PartResults } from "./comparisons.js";
import type { StudyPart } from "./plan.js";

/** Reads the results that exist of a part. */
export async function partResults(part: StudyPart, folder?: string): Promise<PartResults> {
  const results: PartResults = [];
  for (const cell of cellsOf(part)) {
    const result = await readResult(cell, folder);
    if (result) results.push({ ...pick(cell), result });
  }
  return results;
}

const pick = ({ set, seed }: Cell) => ({ set, seed });
/** Whether every set and seed of a part has a result. */
export const isComplete = (part: StudyPart, results: PartResults) => results.length === cellsOf(part).length;

/** A part and its results, after methods of another part and theirs. */
export function withMethodsOf(
  from: { part: StudyPart; results: PartResults; names: readonly string[] },
  part: StudyPart,
  results: PartResults,
): [StudyPart, PartResults] {
  const named = from.part.methods.filter(({ name }) => from.names.includes(name));
  const merged = results.map(({ set, seed, result }) => {
    const other = from.results.find((entry) => entry.set === set && entry.seed === seed);
    if (!other) throw new Error(`${part.name}: ${from.part.name} has no result of set ${set}, seed ${seed}`);
    const methods = Object.fromEntries(named.map(({ name }) => [name, other.result.methods[name]]));
    return { set, seed, result: { ...result, methods: { ...result.methods, ...methods } } };
  });
  return [{ ...part, methods: [...named, ...part.methods] }, merged];
}
