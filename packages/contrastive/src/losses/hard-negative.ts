import type * as tf from "@tensorflow/tfjs-core";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { correctedNegatives } from "./corrected-negatives.js";
import type { DebiasedOptions, debiased } from "./debiased.js";

export interface HardNegativeOptions<R extends Reduction = Reduction> extends DebiasedOptions<R> {
  /** How much hard negatives outweigh easy ones, at least 0; with 0 this is {@link debiased}. Default 1. */
  beta?: number;
}

/**
 * Contrastive loss with hard negatives (Robinson et al. 2021, eq. 4): {@link debiased} with each negative weighted by
 * `e^{beta s_j/t}` over the mean of these weights.
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`; row i is of the same image.
 * @returns `[2n]`, view A's first, or its reduction; the caller disposes it
 */
export function hardNegative<R extends Reduction = "mean">(
  viewA: tf.Tensor,
  viewB: tf.Tensor,
  options: HardNegativeOptions<R> = {},
): Reduced<R> {
  const { beta = 1, ...rest } = checkOptions<HardNegativeOptions<R>>("hardNegative", options, {
    temperature: true,
    classPrior: true,
    beta: true,
    blockSize: true,
    reduction: true,
  });
  checkFloat("hardNegative: beta", beta, { min: 0 });
  return correctedNegatives("hardNegative", { viewA, viewB }, { ...rest, beta });
}
