import { largestFloat } from "./math/saturate.js";
import { checkNumber, type NumberRange } from "./shared/check-options.js";

/** The smallest normal one; a smaller one may be 0 on a GPU. */
const smallest = 2 ** -126;

/**
 * Checks a number that enters tensors, as `checkNumber` does, and that it does not become infinite or 0 there.
 *
 * @param name how the error names it, such as `"infoNCE: temperature"`
 * @returns the number
 */
export function checkFloat(name: string, value: unknown, range: NumberRange = {}): number {
  const number = checkNumber(name, value, range);
  const size = Math.abs(number);
  if (size === 0 || (size >= smallest && size <= largestFloat)) return number;
  throw new RangeError(`${name} must be a float32, 0 or 1.2e-38 to 3.4e38 in size, got ${number}`);
}
