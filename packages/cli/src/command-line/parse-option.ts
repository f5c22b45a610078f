import { InvalidArgumentError } from "commander";
import { didYouMean } from "../config/near-name.js";

/** Readers of option values. Each throws on a value that it does not take, an empty one and another option first of all: an unset variable. */

const refuse = (expected: string): never => {
  throw new InvalidArgumentError(`Expected ${expected}${expected.endsWith("?") ? "" : "."}`);
};

export function text(value: string): string {
  if (value.trim() === "") refuse("a value, got an empty string; is a variable unset?");
  // An unset variable without quotes leaves nothing, and the next option would be this one's value.
  if (value.startsWith("--")) {
    refuse(`a value, got the option "${value}"; is a variable unset? (a file of that name is ./${value})`);
  }
  return value;
}

/** JavaScript's Number would also take `0x10`, `0b11` and spaces for numbers. */
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export function number(value: string): number {
  const parsed = Number(text(value));
  return decimal.test(value) && Number.isFinite(parsed) ? parsed : refuse(`a number, got "${value}"`);
}

export function integer(value: string): number {
  const parsed = number(value);
  return Number.isSafeInteger(parsed) ? parsed : refuse(`an integer, got "${value}"`);
}

/** An integer that is not negative. */
export function natural(value: string): number {
  const parsed = integer(value);
  return parsed >= 0 ? parsed : refuse(`an integer, 0 or more, got "${value}"`);
}

/** A comma-separated list of what `read` reads. */
export const listOf =
  <T>(read: (value: string) => T) =>
  (value: string): T[] =>
    text(value)
      .split(",")
      .map((part) => {
        if (part.trim() === "") refuse(`values between the commas, got "${value}"; is a variable unset?`);
        return read(part.trim());
      });

export const oneOf =
  (choices: readonly string[]) =>
  (value: string): string =>
    choices.includes(text(value))
      ? value
      : refuse(`one of ${choices.join(", ")}, got "${value}"${didYouMean(value, choices)}`);
