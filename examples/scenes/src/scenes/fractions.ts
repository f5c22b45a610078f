import type { Random } from "@dcr-js/tensor";

const STEPS = 2 ** 30;

/** `n` numbers in [0, 1) of 30 bits: unlike float32 numbers they are never rounded up to 1, so each can choose an item of a list. */
export function fractions(random: Random, n: number): number[] {
  return Array.from(random.integerArray(n, 0, STEPS), (value) => value / STEPS);
}
