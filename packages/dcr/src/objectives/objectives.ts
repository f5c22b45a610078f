import { conObjective } from "./con.js";
import { dcrObjective } from "./dcr.js";
import { jointObjective } from "./naive.js";
import { recObjective } from "./rec.js";

/** The paper's comparison (Han et al. 2026, section 5) by name, but for `original`, which trains nothing. */
export const objectives = {
  /** Only the reconstruction loss (DIVA, GenHancer). */
  rec: recObjective,
  /** A contrastive loss on the features only. */
  con: conObjective,
  /** Both, summed: the naive joint objective. */
  naive: jointObjective,
  /** The contrastive loss on predicted noise. */
  dcr: dcrObjective,
};

export type ObjectiveName = keyof typeof objectives;
