import { checkNumber, checkOptions } from "../shared/check-options.js";
import { type Aggregator, cosinesOf } from "./aggregator.js";

export interface KrumOptions {
  /** How many gradients may be arbitrary, at least 0. Default 0. */
  byzantine?: number;
  /** How many gradients are averaged, at least 1. Default 1. */
  selected?: number;
}

/**
 * Multi-Krum (Blanchard et al. 2017, section 4): the mean of the gradients that are nearest to their `m - byzantine - 2` nearest others. It
 * withstands arbitrary gradients, and is no remedy for conflict. `O(m^2 log m)`.
 *
 * It needs at least `byzantine + 3` losses.
 */
export function krum(options: KrumOptions = {}): Aggregator {
  const { byzantine = 0, selected = 1 } = checkOptions<KrumOptions>("krum", options, {
    byzantine: true,
    selected: true,
  });
  checkNumber("krum: byzantine", byzantine, { min: 0, integer: true });
  checkNumber("krum: selected", selected, { min: 1, integer: true });
  return {
    name: "krum",
    weigh: (gram, context) => {
      const { m, norms, cosines } = cosinesOf("krum", gram, context);
      checkNumber("krum: the number of losses", m, { min: Math.max(byzantine + 3, selected), integer: true });
      const distance = (i: number, j: number) => {
        const longer = Math.max(norms[i], norms[j]);
        if (longer === 0) return 0;
        const [a, b] = [norms[i] / longer, norms[j] / longer];
        return longer * Math.sqrt(Math.max(0, a * a + b * b - 2 * a * b * cosines[i * m + j]));
      };
      const all = Array.from({ length: m }, (_, i) => i);
      const scores = all.map((i) =>
        all
          .filter((j) => j !== i)
          .map((j) => distance(i, j))
          .sort((a, b) => a - b)
          .slice(0, m - byzantine - 2)
          .reduce((sum, value) => sum + value, 0),
      );
      const weights = new Float64Array(m);
      for (const i of all.sort((a, b) => scores[a] - scores[b] || a - b).slice(0, selected))
        weights[i] = 1 / selected;
      return { weights };
    },
  };
}
