import { accumulateGradients, type Communicator } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { TermGradients } from "./batch-gradients.js";
import { sumNumbersOverRanks } from "./reduce-over-ranks.js";

/** Adds one batch's term to the step's; takes its gradients over. */
export function addTerm(sums: Map<string, TermGradients>, term: TermGradients): void {
  const sum = sums.get(term.name);
  if (!sum) {
    sums.set(term.name, term);
    return;
  }
  sum.gradients = accumulateGradients(sum.gradients, term.gradients);
  sum.value += term.value;
  for (const [name, value] of Object.entries(term.values)) sum.values[name] += value;
  for (const [name, value] of Object.entries(term.metrics)) sum.metrics[name] += value;
}

/** The figures of a step, averaged over its batches. */
export interface StepFigures {
  loss: number;
  losses: Record<string, number>;
  metrics: Record<string, number>;
  /** Each term's value times its weight, in the order of the terms. */
  terms: number[];
}

/**
 * Sums the terms of a step over the ranks: their gradients in place, and their figures.
 *
 * @param batches how many batches were added
 * @throws when a loss is not finite, by its name
 */
export async function reduceTerms(
  communicator: Communicator,
  terms: readonly TermGradients[],
  batches: number,
): Promise<StepFigures> {
  for (const term of terms) {
    const own = term.gradients;
    term.gradients = await communicator.allReduce(own);
    tf.dispose(own);
  }
  const numbers = terms.flatMap(({ value, values, metrics }) => [
    value,
    ...Object.values(values),
    ...Object.values(metrics),
  ]);
  const sums = await sumNumbersOverRanks(communicator, numbers);
  let at = 0;
  const next = () => sums[at++] / batches;
  const figures: StepFigures = { loss: 0, losses: {}, metrics: {}, terms: [] };
  for (const term of terms) {
    const value = term.weight * next();
    figures.loss += value;
    figures.terms.push(value);
    for (const name of Object.keys(term.values)) figures.losses[name] = next();
    for (const name of Object.keys(term.metrics)) figures.metrics[name] = next();
  }
  const broken = Object.entries(figures.losses).find(([, value]) => !Number.isFinite(value));
  if (broken) throw new Error(`loss ${broken[0]} is ${broken[1]}`);
  if (!Number.isFinite(figures.loss)) throw new Error(`the loss is ${figures.loss}`);
  return figures;
}
