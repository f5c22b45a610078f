import { checkFloat } from "../shared/check-float.js";
import { describe } from "../shared/check-options.js";

/** Checks how much each loss counts: `m` positive numbers, by default `1/m` each. */
export function preferenceOf(
  caller: string,
  preference: readonly number[] | undefined,
  m: number,
): Float64Array {
  if (preference === undefined) return new Float64Array(m).fill(1 / m);
  if (!Array.isArray(preference)) {
    throw new TypeError(
      `${caller}: preference must be an array of ${m} positive numbers, got ${describe(preference)}`,
    );
  }
  if (preference.length !== m) {
    throw new Error(
      `${caller}: preference must have ${m} positive entries, one for each loss, got ${preference.length}`,
    );
  }
  return Float64Array.from(preference, (value, i) =>
    checkFloat(`${caller}: preference[${i}]`, value, { above: 0 }),
  );
}
