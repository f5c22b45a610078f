import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type Aggregator, cleanGram, unlessCancelled } from "./aggregator.js";
import { projectOntoDualCone } from "./dual-cone.js";
import { preferenceOf } from "./preference.js";
import type { UPGradOptions } from "./upgrad.js";

/**
 * DualProj (Lopez-Paz and Ranzato 2017, eq. 11, for multi-task learning as in TorchJD): the mean gradient, projected onto the cone of
 * directions that conflict with none. One quadratic program, `O(m^4)`.
 */
export function dualProj(options: UPGradOptions = {}): Aggregator {
  const { preference, regularization = 1e-6 } = checkOptions("dualProj", options, {
    preference: true,
    regularization: true,
  });
  checkFloat("dualProj: regularization", regularization, { above: 0 });
  return {
    name: "dualProj",
    weigh: (raw, context) => {
      const gram = cleanGram("dualProj", raw, context);
      const own = preferenceOf("dualProj", preference, gram.m);
      return { weights: unlessCancelled(gram, projectOntoDualCone(gram, own, regularization)) };
    },
  };
}
