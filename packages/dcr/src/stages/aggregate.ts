import {
  type Aggregator,
  combineGradients,
  conflictFromGram,
  type GradientConflict,
  gramMatrix,
  type Weighting,
} from "@dcr-js/gradient-conflict";
import type * as tf from "@tensorflow/tfjs-core";
import { checkNumber, describe } from "../shared/check-options.js";

/** The gradients of a step's losses, summed over its batches and over the ranks. */
export interface StepGradients {
  name: string;
  /** The loss's weight, over the number of batches. */
  weight: number;
  gradients: tf.Tensor[];
}

/** The step's gradient, and how the losses' gradients compare (norms, cosines). The caller disposes the gradient. */
export interface Aggregated {
  gradient: tf.Tensor[];
  conflict?: GradientConflict;
  /** The weight that the aggregator gave to each loss's gradient, by the loss's name. */
  weights?: Record<string, number>;
  /** The memory that the aggregator must be given in the next step. */
  memory?: number[];
}

/**
 * Makes one gradient of the losses': their weighted sum, or what an aggregator makes of them, each times its weight.
 *
 * @param context `losses`: their values, each times its weight, for aggregators that weigh by them
 * @throws when a loss's gradient is not finite, by the loss's name, when an aggregator is given a single loss, and when its memory is lost
 */
export async function aggregate(
  losses: readonly StepGradients[],
  aggregator: Aggregator | undefined,
  context: { step: number; memory?: readonly number[]; losses?: readonly number[] },
): Promise<Aggregated> {
  const names = losses.map(({ name }) => name);
  const lists = losses.map(({ gradients }) => gradients);
  const shares = losses.map(({ weight }) => weight);
  if (losses.length === 1 && !aggregator) return { gradient: combineGradients(lists, shares) };
  const gram = await gramMatrix(lists);
  const m = losses.length;
  const broken = names.find((_, i) => !Number.isFinite(gram[i * m + i]));
  if (broken !== undefined) throw new Error(`the gradient of loss ${broken} is not finite`);
  const conflict = m > 1 ? conflictFromGram(names, gram) : undefined;
  if (!aggregator) return { gradient: combineGradients(lists, shares), conflict };
  if (m === 1) {
    throw new Error(
      `aggregator ${aggregator.name} needs two losses or more, got ${names[0]} alone, whose gradient some aggregators would scale; leave it out`,
    );
  }
  const weighted = gram.map((inner, at) => inner * shares[Math.floor(at / m)] * shares[at % m]);
  const weighting = aggregator.weigh(weighted, { ...context, names });
  const weights = checkWeights(aggregator.name, weighting, m);
  const { memory } = weighting;
  if (context.step > 0 && (context.memory === undefined) !== (memory === undefined)) {
    const [before, now] = context.memory === undefined ? ["none", "one"] : ["one", "none"];
    throw new Error(
      `aggregator ${aggregator.name}: memory must be there from the first step on, or never; step ${context.step} was given ${before} and returned ${now}`,
    );
  }
  const gradient = combineGradients(
    lists,
    weights.map((weight, i) => weight * shares[i]),
  );
  const weightOf = Object.fromEntries(names.map((name, i) => [name, weights[i]]));
  return { gradient, conflict, weights: weightOf, memory };
}

/** The weights that an aggregator returned, which may be anybody's code. */
function checkWeights(aggregator: string, weighting: Weighting | undefined, count: number): number[] {
  const weights = weighting?.weights;
  if (weights?.length !== count) {
    throw new Error(
      `aggregator ${aggregator}: weigh must return { weights } of ${count} numbers, got ${weights ? `${weights.length} weights` : describe(weighting)}`,
    );
  }
  for (let i = 0; i < count; i++) checkNumber(`aggregator ${aggregator}: weights[${i}]`, weights[i]);
  return Array.from(weights);
}
