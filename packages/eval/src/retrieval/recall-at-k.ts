import type { Features } from "../features/open-features.js";
import { checkTieTolerance, type TieOptions } from "../features/tie-tolerance.js";
import type { SearchOptions } from "../search/score-rows.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { forEachRightRanks } from "./ranks.js";

/**
 * Recall at k: the share of queries with a right candidate among the k most similar ones. Ties count against it: a wrong
 * candidate that is as similar as the right one stands before it.
 *
 * @param queries `[n, dim]`. @param candidates `[m, dim]`, or undefined for the other queries, as in metric learning, where a row is not its own candidate
 * @param isRight whether candidate j answers query i
 * @param ks ranks, integers above 0
 */
export async function recallAtK(
  queries: Features,
  candidates: Features | undefined,
  isRight: (query: number, candidate: number) => boolean,
  ks: readonly number[],
  options?: TieOptions & SearchOptions,
): Promise<Record<number, number>> {
  const checked = checkOptions("recallAtK", options, { tieTolerance: true, threads: true });
  const tie = checkTieTolerance("recallAtK", checked);
  if (typeof isRight !== "function")
    throw new TypeError(`recallAtK: isRight must be a function, got ${describe(isRight)}`);
  checkKs("recallAtK", ks);
  const rightOf = (query: number, count: number) => {
    const right: number[] = [];
    for (let j = 0; j < count; j++) {
      if (candidates === undefined && j === query) continue;
      const answer: unknown = isRight(query, j);
      // A promise, of an async function, would count as true.
      if (typeof answer !== "boolean")
        throw new TypeError(`recallAtK: isRight must return true or false, got ${describe(answer)}`);
      if (answer) right.push(j);
    }
    return right;
  };
  const best: number[] = [];
  await forEachRightRanks(
    "recallAtK",
    { queries, candidates },
    { rightOf, tie, threads: checked.threads },
    ([first]) => best.push(first),
  );
  return recalls(best, ks);
}

/** Checks the ranks at which recall is asked for. */
export function checkKs(caller: string, ks: readonly number[]): void {
  if (!Array.isArray(ks) || ks.length === 0) {
    throw new TypeError(`${caller}: ks must be a list of at least one rank, got ${describe(ks)}`);
  }
  for (const [i, k] of ks.entries()) checkNumber(`${caller}: ks[${i}]`, k, { min: 1, integer: true });
}

/** Share of the queries whose best right candidate is among the first k. @param best its rank for each query */
export function recalls(best: readonly number[], ks: readonly number[]): Record<number, number> {
  return Object.fromEntries(ks.map((k) => [k, best.filter((rank) => rank < k).length / best.length]));
}
