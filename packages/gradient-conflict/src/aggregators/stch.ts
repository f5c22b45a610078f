import { checkFloat, checkFloats } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, checkGram, lossesOf } from "./aggregator.js";
import { preferenceOf } from "./preference.js";
import { softmax } from "./simplex.js";

export interface STCHOptions {
  /** How smooth the maximum is, greater than 0. Default 1. */
  mu?: number;
  /** How much each loss counts, positive; default `1/m` each. */
  preference?: readonly number[];
  /** The least value of each loss. Default 0 each. */
  ideal?: readonly number[];
}

/**
 * Smooth Tchebycheff scalarisation (Lin et al. 2024, eq. 6): the gradient of `mu log sum_i exp(p_i (L_i - z_i) / mu)`, a smooth maximum of the
 * weighted losses. Needs `context.losses`. `O(m)`.
 */
export function stch(options: STCHOptions = {}): Aggregator {
  const {
    mu = 1,
    preference,
    ideal,
  } = checkOptions<STCHOptions>("stch", options, {
    mu: true,
    preference: true,
    ideal: true,
  });
  checkFloat("stch: mu", mu, { above: 0 });
  if (ideal !== undefined) checkFloats("stch: ideal", ideal);
  return {
    name: "stch",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const m = checkGram("stch", gram, context);
      const losses = lossesOf("stch", context, { m });
      const own = preferenceOf("stch", preference, m);
      if (ideal && ideal.length !== m)
        throw new Error(`stch: ideal must have ${m} entries, got ${ideal.length}`);
      const shares = softmax(losses.map((loss, i) => (own[i] * (loss - (ideal?.[i] ?? 0))) / mu));
      return { weights: shares.map((share, i) => share * own[i]) };
    },
  };
}
