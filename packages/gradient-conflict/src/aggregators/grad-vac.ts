import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, memoryOf } from "./aggregator.js";
import { checkOrder, type OrderOptions, orderOfOthers } from "./shuffled.js";

export interface GradVacOptions extends OrderOptions {
  /** Share of the new cosine in the running target, in [0, 1]. Default 0.01. */
  beta?: number;
}

/**
 * GradVac (Wang et al. 2021, algorithm 1): as PCGrad, but a gradient is turned towards another until their cosine
 * reaches a running mean of that pair's cosines, not only until it is no longer negative. At the first step the targets
 * are 0, which is PCGrad. `O(m^3)`; its memory is the `m * m` targets.
 */
export function gradVac(options: GradVacOptions = {}): Aggregator {
  const { beta = 0.01, ...given } = checkOptions<GradVacOptions>("gradVac", options, {
    beta: true,
    seed: true,
    shuffle: "boolean",
  });
  const order = checkOrder("gradVac", given);
  checkNumber("gradVac: beta", beta, { min: 0, max: 1 });
  return {
    name: "gradVac",
    weigh: (gram, context = {}) => {
      const { m, entries } = cleanGram("gradVac", gram, context);
      const at = (i: number, j: number) => entries[i * m + j];
      const targets = memoryOf("gradVac", context, m * m) ?? new Array<number>(m * m).fill(0);
      const { step = 0 } = context;
      const weights = new Float64Array(m);
      for (let i = 0; i < m; i++) {
        const own = new Float64Array(m);
        own[i] = 1;
        // The inner products of the turned gradient with each gradient.
        const toEach = Float64Array.from({ length: m }, (_, k) => at(i, k));
        for (const j of orderOfOthers(m, i, step, order)) {
          const squared = toEach.reduce((sum, x, k) => sum + x * own[k], 0);
          const length = Math.sqrt(Math.max(0, squared));
          const other = Math.sqrt(Math.max(0, at(j, j)));
          if (length === 0 || other === 0) continue;
          const cosine = Math.min(1, Math.max(-1, toEach[j] / (length * other)));
          const target = targets[i * m + j];
          const [sine, targetSine] = [Math.sqrt(1 - cosine ** 2), Math.sqrt(1 - target ** 2)];
          // A target of 1 cannot be reached by adding a finite multiple.
          if (cosine < target && targetSine > 0) {
            const share = (length * (target * sine - cosine * targetSine)) / (other * targetSine);
            own[j] += share;
            for (let k = 0; k < m; k++) toEach[k] += share * at(j, k);
          }
          targets[i * m + j] = (1 - beta) * target + beta * cosine;
        }
        for (let k = 0; k < m; k++) weights[k] += own[k];
      }
      return { weights, memory: targets };
    },
  };
}
