import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram } from "./aggregator.js";
import { checkOrder, type OrderOptions, orderOfOthers } from "./shuffled.js";

/**
 * PCGrad (Yu et al. 2020, algorithm 1): each gradient is projected onto the normal plane of every other one that it
 * conflicts with, in random order; the projected gradients are summed. `O(m^3)`.
 */
export function pcgrad(options: OrderOptions = {}): Aggregator {
  const given = checkOptions<OrderOptions>("pcgrad", options, { seed: true, shuffle: "boolean" });
  const order = checkOrder("pcgrad", given);
  return {
    name: "pcgrad",
    weigh: (gram, context = {}) => {
      const { m, entries } = cleanGram("pcgrad", gram, context);
      const at = (i: number, j: number) => entries[i * m + j];
      const weights = new Float64Array(m);
      for (let i = 0; i < m; i++) {
        // The projected gradient as a combination of the given ones.
        const own = new Float64Array(m);
        own[i] = 1;
        for (const j of orderOfOthers(m, i, context.step ?? 0, order)) {
          let inner = 0;
          for (let k = 0; k < m; k++) inner += own[k] * at(k, j);
          if (inner < 0 && at(j, j) > 0) own[j] -= inner / at(j, j);
        }
        for (let k = 0; k < m; k++) weights[k] += own[k];
      }
      return { weights };
    },
  };
}
