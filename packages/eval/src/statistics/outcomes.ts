import { describe } from "../shared/check-options.js";

/** Right or wrong for each example, or any measure of it. */
export type Outcomes = ArrayLike<number | boolean>;

/** Checks outcomes, at least one, and makes them numbers. */
export function checkOutcomes(name: string, outcomes: Outcomes): Float64Array {
  if (typeof outcomes !== "object" || outcomes === null || !(outcomes.length > 0)) {
    throw new TypeError(
      `${name} must hold an outcome for each of at least one example, got ${describe(outcomes)}`,
    );
  }
  return Float64Array.from({ length: outcomes.length }, (_, i) => {
    const outcome = outcomes[i];
    if (typeof outcome !== "boolean" && !Number.isFinite(outcome)) {
      throw new TypeError(`${name}[${i}] must be true, false or a finite number, got ${describe(outcome)}`);
    }
    return Number(outcome);
  });
}

/** Checks the outcomes of two encoders on the same examples. */
export function checkPairedOutcomes(caller: string, a: Outcomes, b: Outcomes): [Float64Array, Float64Array] {
  const checked: [Float64Array, Float64Array] = [
    checkOutcomes(`${caller}: a`, a),
    checkOutcomes(`${caller}: b`, b),
  ];
  if (checked[0].length !== checked[1].length) {
    throw new Error(
      `${caller}: a and b must be of the same examples, got ${a.length} and ${b.length} outcomes`,
    );
  }
  return checked;
}
