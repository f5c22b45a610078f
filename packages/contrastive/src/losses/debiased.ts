import type * as tf from "@tensorflow/tfjs-core";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkOptions } from "../shared/check-options.js";
import { correctedNegatives } from "./corrected-negatives.js";

export interface DebiasedOptions<R extends Reduction = Reduction> {
  /** Greater than 0. Default 0.5. */
  temperature?: number;
  /** The chance that a negative is of the anchor's own class, in [0, 1). Default 0.1. */
  classPrior?: number;
  /**
   * Views at once, at least 1: memory is then `O(blockSize n)` in place of `O(n^2)`, with the same values and gradients, at the price of one
   * more forward pass. Default: all views.
   */
  blockSize?: number;
  /** Over the 2n views. Default `"mean"`. */
  reduction?: R;
}

/**
 * Debiased contrastive loss (Chuang et al. 2020, eq. 8): NT-Xent whose sum over the N negatives is corrected for those of the
 * anchor's own class,
 *
 *     -log( e^{s+/t} / (e^{s+/t} + N g) ),
 *     g = max( (1/N sum_j e^{s_j/t} - classPrior e^{s+/t}) / (1 - classPrior), e^{-1/t} ).
 *
 * @param viewA `[n, dim]`, n >= 2. @param viewB `[n, dim]`; row i is of the same image.
 * @returns `[2n]`, view A's first, or its reduction; the caller disposes it
 */
export function debiased<R extends Reduction = "mean">(
  viewA: tf.Tensor,
  viewB: tf.Tensor,
  options: DebiasedOptions<R> = {},
): Reduced<R> {
  const checked = checkOptions<DebiasedOptions<R>>("debiased", options, {
    temperature: true,
    classPrior: true,
    blockSize: true,
    reduction: true,
  });
  return correctedNegatives("debiased", { viewA, viewB }, { ...checked, beta: 0 });
}
