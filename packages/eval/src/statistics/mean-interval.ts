import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkOutcomes, type Outcomes } from "./outcomes.js";

export interface MeanInterval {
  mean: number;
  /** Sample standard deviation over the square root of their number. */
  standardError: number;
  interval: [number, number];
}

/**
 * Student's t interval of the mean of a few independent values, such as a figure's changes over seeds (Student 1908).
 *
 * @param values two or more numbers
 *
 * @example
 * const changes = after.map((value, seed) => value - before[seed]);
 * const { mean, interval } = meanInterval(changes); // a change where the interval excludes 0
 */
export function meanInterval(
  values: Outcomes,
  options?: {
    /** Share of such intervals that hold the mean, above 0 and below 1. Default 0.95. */
    confidence?: number;
  },
): MeanInterval {
  const numbers = checkOutcomes("meanInterval: values", values);
  const { confidence = 0.95 } = checkOptions("meanInterval", options, { confidence: true });
  checkNumber("meanInterval: confidence", confidence, { above: 0, below: 1 });
  const n = numbers.length;
  if (n < 2) throw new Error(`meanInterval: values must be two or more, got ${n}`);
  const mean = numbers.reduce((sum, value) => sum + value, 0) / n;
  const squares = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardError = Math.sqrt(squares / (n - 1) / n);
  const half = studentTQuantile(confidence, n - 1) * standardError;
  return { mean, standardError, interval: [mean - half, mean + half] };
}

/** The `t` with `P(|T| < t) = share` for `degrees` of freedom, by bisection. */
function studentTQuantile(share: number, degrees: number): number {
  let [low, high] = [0, 1];
  while (centralShare(high, degrees) < share) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (centralShare(middle, degrees) < share) low = middle;
    else high = middle;
  }
  return high;
}

/** `P(|T| < t)` in closed form for whole degrees of freedom (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4). */
function centralShare(t: number, degrees: number): number {
  const theta = Math.atan(t / Math.sqrt(degrees));
  const [sin, cos] = [Math.sin(theta), Math.cos(theta)];
  const odd = degrees % 2 === 1;
  let term = odd ? cos : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= ((k - 1) / k) * cos ** 2;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (theta + sin * sum) : sin * sum;
}
