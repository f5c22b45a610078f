import type { GradientConflict } from "../measure/conflict.js";
import { summarizeCosines } from "../measure/summarize-cosines.js";
import { checkNumber, checkNumbers, checkOptions, describe } from "../shared/check-options.js";

/** The conflict of one pair of losses over a run, of all variables or of one group. */
export interface PairRecord {
  losses: [string, string];
  /** The group of variables; absent for all of them. */
  group?: string;
  steps: number;
  /** Steps with a negative cosine. */
  negative: number;
  cosineSum: number;
  /** The cosines of the last steps, newest last, at most `window`. */
  recent: number[];
}

/** Conflict over a run. Plain data: `JSON.stringify` saves it, and a resumed run goes on recording. */
export interface ConflictRecorder {
  /** Steps of the moving window. */
  window: number;
  pairs: PairRecord[];
}

/** A recorder of nothing yet. */
export function createConflictRecorder(
  options: {
    /** Steps of the moving window, at least 1. Default 100. */
    window?: number;
  } = {},
): ConflictRecorder {
  const { window = 100 } = checkOptions("createConflictRecorder", options, { window: true });
  checkNumber("createConflictRecorder: window", window, { min: 1, integer: true });
  return { window, pairs: [] };
}

/**
 * A recorder with one step more; the one given stays as it is. `O(window)` for each pair.
 *
 * @throws with the place of what is no recorder, no conflict or not finite
 */
export function recordConflict(recorder: ConflictRecorder, conflict: GradientConflict): ConflictRecorder {
  checkRecorder("recordConflict", recorder);
  const pairs = [...recorder.pairs];
  const add = ({ losses, cosine }: GradientConflict["pairs"][number], group?: string) => {
    const at = pairs.findIndex(
      (pair) => pair.group === group && pair.losses[0] === losses[0] && pair.losses[1] === losses[1],
    );
    const before: PairRecord | undefined = pairs[at];
    const next: PairRecord = {
      losses,
      ...(group !== undefined && { group }),
      steps: (before?.steps ?? 0) + 1,
      negative: (before?.negative ?? 0) + Number(cosine < 0),
      cosineSum: (before?.cosineSum ?? 0) + cosine,
      recent: [...(before?.recent ?? []), cosine].slice(-recorder.window),
    };
    if (at < 0) pairs.push(next);
    else pairs[at] = next;
  };
  const addAll = (name: string, own: Omit<GradientConflict, "groups">, group?: string) => {
    if (!Array.isArray(own?.pairs)) {
      throw new TypeError(`recordConflict: ${name} must be of gradientConflict, got ${describe(own)}`);
    }
    for (const [i, pair] of own.pairs.entries()) {
      const at = `recordConflict: ${name}.pairs[${i}]`;
      checkLosses(at, pair);
      // JSON would save NaN as null, and a resumed run would go on with a wrong mean.
      checkNumber(`${at}.cosine`, pair.cosine, { min: -1, max: 1 });
      add(pair, group);
    }
  };
  addAll("conflict", conflict);
  for (const [group, own] of Object.entries(conflict.groups ?? {})) {
    addAll(`conflict.groups[${JSON.stringify(group)}]`, own, group);
  }
  return { window: recorder.window, pairs };
}

/** Checks a recorder, which may come from a file. */
function checkRecorder(caller: string, recorder: ConflictRecorder): void {
  if (!Array.isArray(recorder?.pairs)) {
    throw new TypeError(
      `${caller}: recorder must be one of createConflictRecorder, got ${describe(recorder)}`,
    );
  }
  checkNumber(`${caller}: recorder.window`, recorder.window, { min: 1, integer: true });
  for (const [i, pair] of recorder.pairs.entries()) {
    const name = `${caller}: recorder.pairs[${i}]`;
    checkLosses(name, pair);
    const steps = checkNumber(`${name}.steps`, pair.steps, { min: 1, integer: true });
    checkNumber(`${name}.negative`, pair.negative, { min: 0, max: steps, integer: true });
    checkNumber(`${name}.cosineSum`, pair.cosineSum, { min: -steps, max: steps });
    checkNumbers(`${name}.recent`, pair.recent, { min: -1, max: 1 });
    checkNumber(`${name}.recent.length`, pair.recent.length, { min: 1, max: steps });
  }
}

function checkLosses(name: string, pair: { losses: unknown }): void {
  const losses = pair?.losses;
  if (Array.isArray(losses) && losses.length === 2) return;
  throw new TypeError(`${name}.losses must be two names, got ${describe(losses)}`);
}

/** A run's conflict in all, for one pair of losses. */
export interface ConflictSummary {
  losses: [string, string];
  group?: string;
  steps: number;
  /** Share of steps with a negative cosine: the conflict rate. */
  negativeShare: number;
  meanCosine: number;
  /** The same over the moving window. */
  recent: { steps: number; negativeShare: number; meanCosine: number };
}

/** Conflict rates and mean cosines, overall and in the moving window, for each pair of losses and each group. */
export function summarizeConflict(recorder: ConflictRecorder): ConflictSummary[] {
  checkRecorder("summarizeConflict", recorder);
  return recorder.pairs.map(({ losses, group, steps, negative, cosineSum, recent }) => ({
    losses,
    ...(group !== undefined && { group }),
    steps,
    negativeShare: negative / steps,
    meanCosine: cosineSum / steps,
    recent: { steps: recent.length, ...summarizeCosines(recent) },
  }));
}
