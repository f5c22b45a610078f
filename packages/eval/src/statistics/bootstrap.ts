import { wordsOf } from "../random.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkOutcomes, checkPairedOutcomes, type Outcomes } from "./outcomes.js";

export interface BootstrapOptions {
  /** Share of the resamples inside of the interval. Default 0.95; above 0 and below 1. */
  confidence?: number;
  /** Default 10,000. */
  resamples?: number;
  /** Default 0. */
  seed?: number;
}

export interface BootstrapInterval {
  mean: number;
  /** Percentiles of the resamples' means. */
  interval: [number, number];
}

/**
 * Percentile bootstrap interval of a mean over examples (Efron & Tibshirani 1993, chapter 13).
 *
 * @param outcomes of two examples or more
 *
 * @example
 * const { interval } = bootstrapInterval(scores.pairs.map(({ correct }) => correct));
 */
export function bootstrapInterval(outcomes: Outcomes, options?: BootstrapOptions): BootstrapInterval {
  const name = "bootstrapInterval: outcomes";
  return intervalOf(
    checkSeveral(name, checkOutcomes(name, outcomes)),
    checkBootstrap("bootstrapInterval", options),
  );
}

/**
 * Percentile bootstrap interval of the difference of two encoders' means on the same examples, which are drawn together.
 *
 * @returns the mean of `b - a`; the encoders differ where its interval excludes 0
 */
export function pairedBootstrap(a: Outcomes, b: Outcomes, options?: BootstrapOptions): BootstrapInterval {
  const [first, second] = checkPairedOutcomes("pairedBootstrap", a, b);
  const differences = checkSeveral(
    "pairedBootstrap: outcomes",
    second.map((value, i) => value - first[i]),
  );
  return intervalOf(differences, checkBootstrap("pairedBootstrap", options));
}

/** @throws on one outcome: all its resamples are alike, and would make an interval of width 0 */
function checkSeveral(name: string, values: Float64Array): Float64Array {
  if (values.length < 2) throw new Error(`${name} must be two or more, got ${values.length}`);
  return values;
}

function checkBootstrap(caller: string, options: BootstrapOptions | undefined): Required<BootstrapOptions> {
  const checked = checkOptions(caller, options, { confidence: true, resamples: true, seed: true });
  const { confidence = 0.95, resamples = 10_000, seed = 0 } = checked;
  checkNumber(`${caller}: confidence`, confidence, { above: 0, below: 1 });
  checkNumber(`${caller}: resamples`, resamples, { min: 1, integer: true });
  checkNumber(`${caller}: seed`, seed, { min: 0, integer: true });
  return { confidence, resamples, seed };
}

function intervalOf(
  values: Float64Array,
  { confidence, resamples, seed }: Required<BootstrapOptions>,
): BootstrapInterval {
  const n = values.length;
  const next = wordsOf(seed, 0);
  const means = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += values[Math.floor(((next() >>> 0) / 2 ** 32) * n)];
    means[r] = sum / n;
  }
  means.sort();
  const tail = (1 - confidence) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  return { mean, interval: [quantile(means, tail), quantile(means, 1 - tail)] };
}

/** Linear between the values, NumPy's default. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
}
