import { checkNumber, checkOptions } from "../shared/check-options.js";
import { conObjective } from "./con.js";
import type { Objective } from "./objective.js";
import { recObjective } from "./rec.js";
import { sumObjective } from "./sum-objective.js";

export interface JointObjectiveOptions {
  /** Weight of the contrastive loss. Default 1. */
  lambdaCon?: number;
  /** Weight of the reconstruction loss. Default 1. */
  lambdaRec?: number;
  /** The contrastive loss's temperature, greater than 0. Default 0.1. */
  temperature?: number;
}

/** The naive joint objective (Han et al. 2026, section 3.1), `lambdaCon L_con + lambdaRec L_rec`. */
export function jointObjective(options?: JointObjectiveOptions): Objective {
  const names = { lambdaCon: true, lambdaRec: true, temperature: true } as const;
  const { lambdaCon = 1, lambdaRec = 1, temperature } = checkOptions("jointObjective", options, names);
  checkNumber("jointObjective: lambdaCon", lambdaCon, { min: 0 });
  checkNumber("jointObjective: lambdaRec", lambdaRec, { min: 0 });
  return sumObjective("naive", [
    { objective: conObjective({ temperature }), weight: lambdaCon },
    { objective: recObjective(), weight: lambdaRec },
  ]);
}
