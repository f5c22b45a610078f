import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, unlessCancelled } from "./aggregator.js";
import { shortestConvexCombination } from "./quadratic-program.js";

export interface CAGradOptions {
  /** How far the direction may leave the mean gradient, as a share of its length, at least 0. Default 0.5. */
  c?: number;
}

/** A combination shorter than this share of the gradients in it counts as none: no direction serves all losses. */
const stationary = 1e-5;
/** A length in float64 below this share of its parts, which cancel, is rounding. */
const resolved = 1e-6;

/**
 * CAGrad (Liu et al. 2021, "Conflict-Averse Gradient Descent", algorithm 1): the direction within `c |g_0|` of the mean gradient `g_0` that serves the
 * worst-served loss best, `g_0 + c |g_0| g_w / |g_w|` with `w` in the simplex minimising `g_w . g_0 + c |g_0| |g_w|`.
 * With `c = 0` it is the mean; with `c >= 1` it conflicts with no gradient. Zero where no direction serves all losses.
 *
 * A loss whose gradient is zero cannot be served, so it has no part in `g_w`; it counts in the mean.
 *
 * For a given length `eta` of `g_w` the problem is the shortest convex combination of `h_i = g_i + eta / (c |g_0|) g_0`; the
 * length is found by bisection of its logarithm, as the problem is convex in it and lengths may lie many orders apart. `O(m^4)` times some 60.
 */
export function cagrad(options: CAGradOptions = {}): Aggregator {
  const { c = 0.5 } = checkOptions("cagrad", options, { c: true });
  checkFloat("cagrad: c", c, { min: 0 });
  return {
    name: "cagrad",
    weigh: (raw, context) => {
      const clean = cleanGram("cagrad", raw, context);
      const { m, norms, cosines } = clean;
      const weights = new Float64Array(m).fill(1 / m);
      const longest = Math.max(...norms);
      const served = Array.from(norms.keys()).filter((i) => norms[i] > 0);
      const lengths = served.map((i) => norms[i] / longest);
      const k = served.length;
      const cosine = Float64Array.from(
        { length: k * k },
        (_, at) => cosines[served[Math.floor(at / k)] * m + served[at % k]],
      );
      /** Inner products of the gradients' directions with the mean gradient. */
      const toMean = lengths.map(
        (_, i) => lengths.reduce((sum, length, j) => sum + cosine[i * k + j] * length, 0) / m,
      );
      const meanSquared = lengths.reduce((sum, length, i) => sum + length * toMean[i], 0) / m;
      const radius = c * Math.sqrt(Math.max(0, meanSquared));
      if (!(radius > 0)) return { weights };
      const solve = (eta: number) => {
        const shift = eta / radius;
        const inner = (i: number, j: number) =>
          lengths[i] * lengths[j] * cosine[i * k + j] +
          shift * (lengths[i] * toMean[i] + lengths[j] * toMean[j]) +
          shift ** 2 * meanSquared;
        const w = shortestOf(inner, k);
        const parts = w.map((x, i) => x * lengths[i]);
        return {
          w,
          length: Math.sqrt(Math.max(0, squaredLength(parts, cosine))),
          parts: Math.hypot(...parts),
        };
      };
      let [low, high] = [Math.log(leastLength), 0];
      for (let round = 0; round < 60; round++) {
        const middle = (low + high) / 2;
        const { length, parts } = solve(Math.exp(middle));
        // The length of parts that cancel is rounding, so it does not tell that eta is too long.
        if (Math.max(length, resolved * parts) > Math.exp(middle)) low = middle;
        else high = middle;
      }
      const { w, length, parts } = solve(Math.exp((low + high) / 2));
      if (length <= stationary * parts) return { weights: new Float64Array(m) };
      for (const [at, i] of served.entries()) weights[i] += (radius / length) * w[at];
      return { weights: unlessCancelled(clean, weights) };
    },
  };
}

/** The least length of `g_w`, as a share of the longest gradient, that is looked for. */
const leastLength = 1e-140;

/** `|sum_i x_i u_i|^2` of unit vectors with these cosines. */
function squaredLength(x: Float64Array, cosine: Float64Array): number {
  const n = x.length;
  return x.reduce((sum, a, i) => sum + a * x.reduce((part, b, j) => part + cosine[i * n + j] * b, 0), 0);
}

/** Weights of the shortest convex combination of vectors with these inner products. A vector of length 0 is the shortest. */
function shortestOf(inner: (i: number, j: number) => number, n: number): Float64Array {
  const lengths = Array.from({ length: n }, (_, i) => Math.sqrt(Math.max(0, inner(i, i))));
  const zero = lengths.indexOf(0);
  if (zero >= 0) return Float64Array.from(lengths, (_, i) => Number(i === zero));
  const cosine = Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return i === j ? 1 : Math.min(1, Math.max(-1, inner(i, j) / lengths[i] / lengths[j]));
  });
  return shortestConvexCombination(cosine, lengths);
}
