import type { Distance } from "../distances/distance.js";
import { lpDistance } from "../distances/lp-distance.js";
import { type TupleLossOptions, tupleOptionNames } from "../pairs/tuple-inputs.js";
import type { Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";

export interface LiftedStructureOptions<R extends Reduction = Reduction> extends TupleLossOptions<R> {
  /** Default 1. */
  negMargin?: number;
  /** Default 0. */
  posMargin?: number;
  /** Default `lpDistance()`: Euclidean, of normalised rows. */
  distance?: Distance;
}

const names = { ...tupleOptionNames, negMargin: true, posMargin: true, distance: "function" } as const;

/** The checked options of the two lifted structure losses. */
export function readLiftedStructure<R extends Reduction>(caller: string, options: LiftedStructureOptions<R>) {
  const {
    negMargin = 1,
    posMargin = 0,
    distance = lpDistance(),
    reduction = "mean" as R,
    ...tuples
  } = checkOptions<LiftedStructureOptions<R>>(caller, options, names);
  checkFloat(`${caller}: negMargin`, negMargin);
  checkFloat(`${caller}: posMargin`, posMargin);
  return { negMargin, posMargin, distance, reduction, tuples };
}
