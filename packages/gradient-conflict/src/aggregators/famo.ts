import { checkFloat, checkFloats } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, checkGram, lossesOf, memoryOf } from "./aggregator.js";
import { softmax } from "./simplex.js";

export interface FAMOOptions {
  /** Learning rate of the logits, greater than 0. Default 0.025. */
  learningRate?: number;
  /** Weight decay of the logits, at least 0. Default 1e-5. */
  weightDecay?: number;
  /** The least value of each loss; one that falls below it is refused. Default 0 each. */
  minLosses?: readonly number[];
}

/** Added to a loss, whose logarithm is taken, and whose least is 0. */
const leastLoss = 1e-8;

/**
 * FAMO (Liu et al. 2023, algorithm 1): weights `z_i / L_i` (their sum made 1) with `z` the softmax of logits, which Adam moves so that the
 * losses' logarithms fall alike. The fall is measured between the losses of this step and of the next, on different batches; the authors
 * measure it on the same batch, at the price of one more forward pass. Its memory is the logits, Adam's state and the losses. Needs
 * `context.losses`, each at least its entry of `minLosses`. `O(m)`.
 */
export function famo(options: FAMOOptions = {}): Aggregator {
  const {
    learningRate = 0.025,
    weightDecay = 1e-5,
    minLosses,
  } = checkOptions<FAMOOptions>("famo", options, {
    learningRate: true,
    weightDecay: true,
    minLosses: true,
  });
  checkFloat("famo: learningRate", learningRate, { above: 0 });
  checkFloat("famo: weightDecay", weightDecay, { min: 0 });
  if (minLosses !== undefined) checkFloats("famo: minLosses", minLosses);
  return {
    name: "famo",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const m = checkGram("famo", gram, context);
      if (minLosses && minLosses.length !== m) {
        throw new Error(`famo: minLosses must have ${m} entries, got ${minLosses.length}`);
      }
      const losses = lossesOf("famo", context, { m, min: minLosses ?? 0 }).map(
        (loss, i) => loss - (minLosses?.[i] ?? 0) + leastLoss,
      );
      const memory = memoryOf("famo", context, 4 * m + 1);
      const part = (at: number) => memory?.slice(at * m, (at + 1) * m) ?? new Array<number>(m).fill(0);
      let [logits, first, second] = [part(0), part(1), part(2)];
      let steps = memory?.[4 * m] ?? 0;
      if (memory) {
        const before = part(3);
        const z = softmax(logits);
        const fall = before.map((loss, i) => Math.log(loss) - Math.log(losses[i]));
        const mean = fall.reduce((sum, value, i) => sum + value * z[i], 0);
        // The gradient of the softmax, contracted with the falls, and weight decay as Adam adds it.
        const slope = fall.map((value, i) => z[i] * (value - mean) + weightDecay * logits[i]);
        steps++;
        first = first.map((value, i) => 0.9 * value + 0.1 * slope[i]);
        second = second.map((value, i) => 0.999 * value + 0.001 * slope[i] ** 2);
        logits = logits.map((value, i) => {
          const [mean1, mean2] = [first[i] / (1 - 0.9 ** steps), second[i] / (1 - 0.999 ** steps)];
          return value - (learningRate * mean1) / (Math.sqrt(mean2) + 1e-8);
        });
      }
      const raw = softmax(logits).map((value, i) => value / losses[i]);
      const sum = raw.reduce((total, value) => total + value, 0);
      const weights = raw.map((value) => value / sum);
      return { weights, memory: [...logits, ...first, ...second, ...losses, steps] };
    },
  };
}
