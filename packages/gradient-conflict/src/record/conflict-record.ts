import type { GradientConflict } from "../measure/conflict.js";
import type { StepProjection } from "../measure/projection.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";

/** The measures of a step: `{ step, ...measures }` of `minimize`, or `{ step, values, conflict }` of `gradientConflict`. Plain data. */
export interface ConflictRecord {
  /** From 0. */
  step: number;
  conflict: GradientConflict;
  /** The losses' values. */
  values?: Record<string, number>;
  weights?: Record<string, number>;
  projection?: StepProjection;
  /** Of `gradientCurvature`. */
  curvature?: Record<string, number>;
  /** The aggregator's, with which a run goes on. */
  memory?: number[];
}

/**
 * Checks a record from outside.
 *
 * @param name how errors name it
 * @throws with the place of what is missing, unknown or not finite
 */
export function checkConflictRecord(name: string, record: ConflictRecord): ConflictRecord {
  if (typeof record !== "object" || record === null) {
    throw new TypeError(`${name} must be a record of a step, got ${describe(record)}`);
  }
  const { step, conflict, values, weights, projection, curvature, memory } = checkOptions<ConflictRecord>(
    name,
    record,
    {
      step: true,
      conflict: true,
      values: true,
      weights: true,
      projection: true,
      curvature: true,
      memory: true,
    },
  );
  checkNumber(`${name}: step`, step, { min: 0, integer: true });
  checkConflict(`${name}: conflict`, conflict);
  if (values) checkNumbers(`${name}: values`, values);
  if (weights) checkNumbers(`${name}: weights`, weights);
  if (curvature) checkNumbers(`${name}: curvature`, curvature);
  if (memory) checkNumbers(`${name}: memory`, memory);
  if (projection) {
    const { shares, cosines } = checkOptions(`${name}: projection`, projection, {
      shares: true,
      cosines: true,
    });
    checkNumbers(`${name}: projection.shares`, shares);
    checkNumbers(`${name}: projection.cosines`, cosines);
  }
  return record;
}

function checkConflict(name: string, conflict: GradientConflict): void {
  if (typeof conflict !== "object" || conflict === null) {
    throw new TypeError(`${name} must be what gradientConflict gives, got ${describe(conflict)}`);
  }
  const { norms, pairs, groups } = checkOptions<GradientConflict>(name, conflict, {
    norms: true,
    pairs: true,
    groups: true,
  });
  checkNumbers(`${name}.norms`, norms);
  if (!Array.isArray(pairs)) throw new TypeError(`${name}.pairs must be an array, got ${describe(pairs)}`);
  for (const [i, pair] of pairs.entries()) {
    const of = `${name}.pairs[${i}]`;
    const { losses, cosine, magnitudeSimilarity } = checkOptions(of, pair, {
      losses: true,
      cosine: true,
      magnitudeSimilarity: true,
    });
    if (!Array.isArray(losses) || losses.length !== 2 || !losses.every((loss) => typeof loss === "string")) {
      throw new TypeError(`${of}.losses must be two names, got ${describe(losses)}`);
    }
    checkNumber(`${of}.cosine`, cosine, { min: -1, max: 1 });
    checkNumber(`${of}.magnitudeSimilarity`, magnitudeSimilarity, { min: 0, max: 1 });
  }
  for (const [group, own] of Object.entries(groups ?? {})) {
    checkConflict(`${name}.groups[${JSON.stringify(group)}]`, own);
  }
}

function checkNumbers(name: string, numbers: Record<string, number> | readonly number[]): void {
  if (typeof numbers !== "object" || numbers === null) {
    throw new TypeError(`${name} must hold numbers, got ${describe(numbers)}`);
  }
  for (const [key, value] of Object.entries(numbers)) checkNumber(`${name}[${JSON.stringify(key)}]`, value);
}
