import { checkNumber, checkNumbers, type NumberRange } from "./check-options.js";

/** The largest float32. */
export const largestFloat = (2 - 2 ** -23) * 2 ** 127;
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

/** Checks an array of numbers, each as {@link checkFloat} does. @returns the array */
export function checkFloats(name: string, values: unknown, range: NumberRange = {}): readonly number[] {
  const numbers = checkNumbers(name, values, range);
  for (const [i, value] of numbers.entries()) checkFloat(`${name}[${i}]`, value, range);
  return numbers;
}
