import { checkPairedOutcomes, type Outcomes } from "./outcomes.js";

export interface McNemarTest {
  /** Examples that only the first encoder has right. */
  onlyA: number;
  /** Examples that only the second has right. */
  onlyB: number;
  /** Two-sided p of the exact binomial test; 1 where the encoders agree on all. */
  pValue: number;
}

/**
 * McNemar's exact test of two encoders on the same examples (McNemar 1947): are those that only one of them has right
 * shared out evenly?
 *
 * @param a right (true, 1) or wrong (false, 0) for each example. @param b the same for the other encoder
 */
export function mcNemar(a: Outcomes, b: Outcomes): McNemarTest {
  const [first, second] = checkPairedOutcomes("mcNemar", a, b);
  for (const [name, values] of Object.entries({ a: first, b: second })) {
    const bad = values.findIndex((value) => value !== 0 && value !== 1);
    if (bad >= 0)
      throw new RangeError(`mcNemar: ${name}[${bad}] must be right (1) or wrong (0), got ${values[bad]}`);
  }
  let [onlyA, onlyB] = [0, 0];
  for (const [i, right] of first.entries()) {
    if (right > second[i]) onlyA++;
    if (right < second[i]) onlyB++;
  }
  return { onlyA, onlyB, pValue: Math.min(1, 2 * lowerTail(Math.min(onlyA, onlyB), onlyA + onlyB)) };
}

/** Probability of at most k heads in n throws of a fair coin, in logarithms, which do not underflow. */
function lowerTail(k: number, n: number): number {
  let log = -n * Math.LN2;
  let sum = 0;
  for (let i = 0; i <= k; i++) {
    sum += Math.exp(log);
    log += Math.log(n - i) - Math.log(i + 1);
  }
  return sum;
}
