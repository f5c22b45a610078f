import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, unlessCancelled } from "./aggregator.js";
import { projectOntoDualCone } from "./dual-cone.js";
import { preferenceOf } from "./preference.js";

export interface UPGradOptions {
  /** How much each loss counts, positive; default `1/m` each. */
  preference?: readonly number[];
  /** Added to the diagonal of the matrix of cosines, greater than 0; makes the projection unique. Default 1e-6. */
  regularization?: number;
}

/**
 * UPGrad (Quinton and Rey 2024, proposition 1): each gradient is projected onto the cone of directions that
 * conflict with none, and the projections are averaged. It conflicts with no gradient and, unlike MGDA, grows linearly
 * with each. `m` exact quadratic programs, `O(m^5)`.
 *
 * The regularization is added to cosines, not to inner products as in TorchJD, where the direction conflicts with gradients that are
 * some 300 times shorter than the others.
 */
export function upgrad(options: UPGradOptions = {}): Aggregator {
  const { preference, regularization = 1e-6 } = checkOptions("upgrad", options, {
    preference: true,
    regularization: true,
  });
  checkFloat("upgrad: regularization", regularization, { above: 0 });
  return {
    name: "upgrad",
    weigh: (raw, context) => {
      const gram = cleanGram("upgrad", raw, context);
      const own = preferenceOf("upgrad", preference, gram.m);
      const weights = new Float64Array(gram.m);
      for (let i = 0; i < gram.m; i++) {
        const only = own.map((value, k) => (k === i ? value : 0));
        for (const [k, weight] of projectOntoDualCone(gram, only, regularization).entries())
          weights[k] += weight;
      }
      return { weights: unlessCancelled(gram, weights) };
    },
  };
}
