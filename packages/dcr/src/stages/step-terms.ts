import { accumulateGradients, type Communicator } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { TermGradients } from "./batch-gradients.js";
import { sumNumbersOverRanks } from "./reduce-over-ranks.js";

/**
 * Adds the terms of a batch to the step's; takes their gradients over.
 *
 * @throws when they are not those of the step's first batch, with the same weights, losses and metrics
 */
export function addTerms(sums: Map<string, TermGradients>, terms: readonly TermGradients[]): void {
  try {
    if (sums.size > 0) checkSameTerms([...sums.values()], terms);
  } catch (error) {
    tf.dispose(terms.map(({ gradients }) => gradients));
    throw error;
  }
  for (const term of terms) {
    const sum = sums.get(term.name);
    if (!sum) {
      sums.set(term.name, term);
      continue;
    }
    sum.gradients = accumulateGradients(sum.gradients, term.gradients);
    sum.value += term.value;
    for (const [name, value] of Object.entries(term.values)) sum.values[name] += value;
    for (const [name, value] of Object.entries(term.metrics)) sum.metrics[name] += value;
  }
}

function checkSameTerms(before: readonly TermGradients[], terms: readonly TermGradients[]): void {
  const same = (what: string, a: unknown, b: unknown) => {
    const [first, second] = [a, b].map((x) => String(x) || "none");
    if (first === second) return;
    throw new Error(`${what} must be the same in all batches of a step, got ${first} and ${second}`);
  };
  const names = (all: readonly TermGradients[]) => all.map(({ name }) => name);
  same("the losses", names(before), names(terms));
  for (const [i, { name, weight, values, metrics }] of before.entries()) {
    same(`the weight of ${name}`, weight, terms[i].weight);
    same(`the losses in ${name}`, Object.keys(values), Object.keys(terms[i].values));
    same(`the metrics of ${name}`, Object.keys(metrics), Object.keys(terms[i].metrics));
  }
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
 * @throws when a loss or a metric is not finite, by its name
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
  // A metric too: whoever keeps the record as JSON would read null.
  for (const [what, named] of Object.entries({ loss: figures.losses, metric: figures.metrics })) {
    const broken = Object.entries(named).find(([, value]) => !Number.isFinite(value));
    if (broken) throw new Error(`${what} ${broken[0]} is ${broken[1]}`);
  }
  if (!Number.isFinite(figures.loss)) throw new Error(`the loss is ${figures.loss}`);
  return figures;
}
