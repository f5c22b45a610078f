import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, lossesOf, memoryOf } from "./aggregator.js";
import { preferenceOf } from "./preference.js";
import { softmax } from "./simplex.js";

/**
 * Uncertainty weighting (Kendall et al. 2018, eq. 7): weights `1 / (2 e^s)` whose log-variances `s` are trained to minimise
 * `L / (2 e^s) + s / 2`, from -0.5 as in LibMTL. Its memory is `s`. Needs `context.losses`, each greater than 0. `O(m)`.
 *
 * @param options `learningRate` of the log-variances, greater than 0, default 0.01
 */
export function uncertaintyWeighting(options: { learningRate?: number } = {}): Aggregator {
  const { learningRate = 0.01 } = checkOptions("uncertaintyWeighting", options, { learningRate: true });
  checkNumber("uncertaintyWeighting: learningRate", learningRate, { above: 0 });
  return {
    name: "uncertaintyWeighting",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const { m } = cleanGram("uncertaintyWeighting", gram, context);
      const losses = lossesOf("uncertaintyWeighting", context, m);
      const s = memoryOf("uncertaintyWeighting", context, m) ?? new Array<number>(m).fill(-0.5);
      const weights = Float64Array.from(s, (value) => 1 / (2 * Math.exp(value)));
      const memory = s.map((value, i) => value - learningRate * (0.5 - losses[i] * weights[i]));
      return { weights, memory };
    },
  };
}

/**
 * IMTL-L (Liu et al. 2021, "Towards Impartial Multi-task Learning", section 3.2): weights `e^s` whose logarithms are trained to minimise
 * `e^s L - s`, from 0, so that all weighted losses come to 1. Its memory is `s`. Needs `context.losses`. `O(m)`.
 *
 * @param options `learningRate` of the logarithms, greater than 0, default 0.01
 */
export function imtlL(options: { learningRate?: number } = {}): Aggregator {
  const { learningRate = 0.01 } = checkOptions("imtlL", options, { learningRate: true });
  checkNumber("imtlL: learningRate", learningRate, { above: 0 });
  return {
    name: "imtlL",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const { m } = cleanGram("imtlL", gram, context);
      const losses = lossesOf("imtlL", context, m);
      const s = memoryOf("imtlL", context, m) ?? new Array<number>(m).fill(0);
      const weights = Float64Array.from(s, Math.exp);
      return { weights, memory: s.map((value, i) => value - learningRate * (losses[i] * weights[i] - 1)) };
    },
  };
}

/**
 * Dynamic weight average (Liu et al. 2019, "End-to-End Multi-Task Learning with Attention", eq. 7): `m` times the softmax of the losses' last
 * ratios over the temperature; 1 each until two earlier steps are known. Its memory is their losses. Needs `context.losses`. `O(m)`.
 *
 * @param options `temperature`, greater than 0, default 2
 */
export function dwa(options: { temperature?: number } = {}): Aggregator {
  const { temperature = 2 } = checkOptions("dwa", options, { temperature: true });
  checkNumber("dwa: temperature", temperature, { above: 0 });
  return {
    name: "dwa",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const { m } = cleanGram("dwa", gram, context);
      const losses = Array.from(lossesOf("dwa", context, m));
      const { memory = [] } = context;
      if (memory.length % m !== 0 || memory.length > 2 * m) memoryOf("dwa", context, 2 * m);
      const next = [...memory.slice(-m), ...losses];
      if (memory.length < 2 * m) return { weights: new Float64Array(m).fill(1), memory: next };
      const ratios = losses.map((_, i) => {
        const before = memory[i];
        return before === 0 ? 1 : memory[m + i] / before;
      });
      const weights = softmax(ratios.map((ratio) => ratio / temperature)).map((weight) => weight * m);
      return { weights, memory: next };
    },
  };
}

export interface GradNormOptions {
  /** How strongly losses that train slowly are favoured, at least 0. Default 1.5. */
  alpha?: number;
  /** Learning rate of the weights, greater than 0. Default 0.025. */
  learningRate?: number;
}

/**
 * GradNorm (Chen et al. 2018, algorithm 1): the weights follow the gradient of `sum_i | w_i |g_i| - mean(w |g|) r_i^alpha |`, where `r_i` is the
 * loss's share of its first value over the mean share, and are kept at a sum of `m`. Its memory is the first losses and the weights.
 * Needs `context.losses`. `O(m)` beside the norms.
 */
export function gradNorm(options: GradNormOptions = {}): Aggregator {
  const { alpha = 1.5, learningRate = 0.025 } = checkOptions<GradNormOptions>("gradNorm", options, {
    alpha: true,
    learningRate: true,
  });
  checkNumber("gradNorm: alpha", alpha, { min: 0 });
  checkNumber("gradNorm: learningRate", learningRate, { above: 0 });
  return {
    name: "gradNorm",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const { m, norms } = cleanGram("gradNorm", gram, context);
      const losses = lossesOf("gradNorm", context, m);
      for (const [i, loss] of losses.entries()) checkNumber(`gradNorm: loss ${i}`, loss, { above: 0 });
      const memory = memoryOf("gradNorm", context, 2 * m);
      const first = memory?.slice(0, m) ?? Array.from(losses);
      const weights = Float64Array.from(memory?.slice(m) ?? new Array(m).fill(1));
      const shares = first.map((value, i) => losses[i] / value);
      const meanShare = shares.reduce((sum, share) => sum + share, 0) / m;
      const meanNorm = norms.reduce((sum, norm, i) => sum + weights[i] * norm, 0) / m;
      const next = weights.map((weight, i) => {
        const target = meanNorm * (shares[i] / meanShare) ** alpha;
        return Math.max(1e-6, weight - learningRate * norms[i] * Math.sign(weight * norms[i] - target));
      });
      const sum = next.reduce((total, weight) => total + weight, 0);
      return { weights, memory: [...first, ...next.map((weight) => (weight * m) / sum)] };
    },
  };
}

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
  checkNumber("stch: mu", mu, { above: 0 });
  return {
    name: "stch",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const { m } = cleanGram("stch", gram, context);
      const losses = lossesOf("stch", context, m);
      const own = preferenceOf("stch", preference, m);
      if (ideal && ideal.length !== m)
        throw new Error(`stch: ideal must have ${m} entries, got ${ideal.length}`);
      const shares = softmax(losses.map((loss, i) => (own[i] * (loss - (ideal?.[i] ?? 0))) / mu));
      return { weights: shares.map((share, i) => share * own[i]) };
    },
  };
}

export interface FAMOOptions {
  /** Learning rate of the logits, greater than 0. Default 0.025. */
  learningRate?: number;
  /** Weight decay of the logits, at least 0. Default 1e-5. */
  weightDecay?: number;
  /** The least value of each loss. Default 0 each. */
  minLosses?: readonly number[];
}

/** Below this a loss's logarithm is not taken. */
const leastLoss = 1e-8;

/**
 * FAMO (Liu et al. 2023, algorithm 1): weights `z_i / L_i` (their sum made 1) with `z` the softmax of logits, which Adam moves so that the
 * losses' logarithms fall alike. The fall is measured between the losses of this step and of the next, on different batches; the authors
 * measure it on the same batch, at the price of one more forward pass. Its memory is the logits, Adam's state and the losses. Needs
 * `context.losses`. `O(m)`.
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
  checkNumber("famo: learningRate", learningRate, { above: 0 });
  checkNumber("famo: weightDecay", weightDecay, { min: 0 });
  return {
    name: "famo",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const { m } = cleanGram("famo", gram, context);
      if (minLosses && minLosses.length !== m) {
        throw new Error(`famo: minLosses must have ${m} entries, got ${minLosses.length}`);
      }
      const losses = lossesOf("famo", context, m).map((loss, i) =>
        Math.max(leastLoss, loss - (minLosses?.[i] ?? 0) + leastLoss),
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
