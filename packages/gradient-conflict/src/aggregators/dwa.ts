import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, checkGram, lossesOf, memoryOf } from "./aggregator.js";
import { softmax } from "./simplex.js";

/**
 * Dynamic weight average (Liu et al. 2019, "End-to-End Multi-Task Learning with Attention", eq. 7): `m` times the softmax of the losses' last
 * ratios over the temperature; 1 each until two earlier steps are known. Its memory is their losses. Needs `context.losses`. `O(m)`.
 */
export function dwa(
  options: {
    /** Temperature of the softmax, greater than 0. Default 2. */
    temperature?: number;
  } = {},
): Aggregator {
  const { temperature = 2 } = checkOptions("dwa", options, { temperature: true });
  checkFloat("dwa: temperature", temperature, { above: 0 });
  return {
    name: "dwa",
    needsLosses: true,
    weigh: (gram, context = {}) => {
      const m = checkGram("dwa", gram, context);
      const losses = Array.from(lossesOf("dwa", context, { m }));
      // After one step it holds the losses of one.
      const memory = memoryOf("dwa", context, context.memory?.length === m ? m : 2 * m) ?? [];
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
