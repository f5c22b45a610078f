import { anchorsWithoutPositives, type WithoutPositives } from "../pairs/without-positives.js";
import { checkNumber, describe } from "../shared/check-options.js";
import type { Formulation } from "./formulation.js";

/** True and false, or numbers other than 0 and 0. */
export type Flags = ArrayLike<boolean | number>;

/**
 * The rows `first` to `first + count - 1` of a mask of anchors by candidates, `count * m`, 0 or 1. All rows of a large batch would not fit
 * into memory.
 */
export type MaskRows = (first: number, count: number) => Uint8Array;

/** Entries of a mask that are looked at together. */
const blockEntries = 2 ** 22;

/** A mask of anchors by `m` candidates, from a rule for each anchor and candidate. */
export function maskBy(m: number, rule: (anchor: number, candidate: number) => boolean | number): MaskRows {
  return (first, count) => {
    const rows = new Uint8Array(count * m);
    for (let i = first, at = 0; i < first + count; i++) {
      for (let j = 0; j < m; j++, at++) if (rule(i, j)) rows[at] = 1;
    }
    return rows;
  };
}

/** A mask that a user gave, row by row. @throws unless it has `n * m` booleans or numbers */
export function givenMask(name: string, flags: Flags, [n, m]: readonly [number, number]): MaskRows {
  if (flags?.length !== n * m) {
    throw new Error(
      `${name} must have ${n} x ${m} = ${n * m} entries, one for each anchor and candidate, got ${flags?.length ?? describe(flags)}`,
    );
  }
  checkFlags(name, flags);
  return maskBy(m, (i, j) => flags[i * m + j]);
}

/** The mask of rows that take no part: each row itself, and those that a user gave, `n * n`. */
export function besideSelf(name: string, excluded: Flags | undefined, n: number): MaskRows {
  if (excluded === undefined) return maskBy(n, (i, j) => i === j);
  const given = givenMask(name, excluded, [n, n]);
  return (first, count) => {
    const rows = given(first, count);
    for (let i = 0; i < count; i++) rows[i * n + first + i] = 1;
    return rows;
  };
}

/** Refuses an entry that is neither a boolean nor a number: a text such as "0" would count as true. */
export function checkFlags(name: string, flags: ArrayLike<unknown>): void {
  for (let at = 0; at < flags.length; at++) {
    if (typeof flags[at] !== "boolean") checkNumber(`${name}[${at}]`, flags[at]);
  }
}

/** Checked masks of anchors by candidates. */
export interface Masks {
  /** Says of each candidate whether it takes part, and whether as a positive, for `count` rows from `first` on. */
  rows(first: number, count: number): { present: Uint8Array; positive: Uint8Array };
  /** Positives of each anchor. */
  counts: Float32Array;
}

/** @throws where an anchor has no positive or no second candidate, or the loss is constant */
export function readMasks(
  caller: string,
  [n, m]: readonly [number, number],
  given: {
    positive: MaskRows;
    excluded?: MaskRows;
    formulation: Formulation;
    withoutPositives: WithoutPositives;
  },
): Masks {
  const { formulation, withoutPositives } = given;
  const rows = (first: number, count: number) => {
    const positive = given.positive(first, count);
    const present = given.excluded?.(first, count) ?? new Uint8Array(count * m);
    for (let at = 0; at < present.length; at++) {
      present[at] = 1 - present[at];
      positive[at] &= present[at];
    }
    return { present, positive };
  };
  const [counts, candidates] = [new Float32Array(n), new Float32Array(n)];
  const block = Math.max(1, Math.floor(blockEntries / m));
  for (let first = 0; first < n; first += block) {
    const count = Math.min(block, n - first);
    const { present, positive } = rows(first, count);
    for (let i = first, at = 0; i < first + count; i++) {
      for (let j = 0; j < m; j++, at++) {
        counts[i] += positive[at];
        candidates[i] += present[at];
      }
    }
  }
  anchorsWithoutPositives(caller, counts, withoutPositives);
  let [negatives, anchors] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (counts[i] === 0) continue;
    anchors++;
    if (candidates[i] < 2) {
      throw new Error(
        `${caller}: anchor ${i} has one candidate, its positive, and so a constant loss; expected two or more`,
      );
    }
    negatives += candidates[i] - counts[i];
  }
  if (negatives === 0 && anchors > 0 && formulation !== "out") {
    throw new Error(
      `${caller}: no anchor has a negative, which makes the loss of formulation "${formulation}" constant`,
    );
  }
  return { rows, counts };
}
