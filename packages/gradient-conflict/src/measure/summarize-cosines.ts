import { checkNumbers } from "../shared/check-options.js";

/** Over a run's cosines: the share of negative ones and their mean. */
export function summarizeCosines(cosines: readonly number[]): { negativeShare: number; meanCosine: number } {
  checkNumbers("summarizeCosines: cosines", cosines, { min: -1, max: 1 });
  if (cosines.length === 0) throw new Error("summarizeCosines: cosines must not be empty");
  return {
    negativeShare: cosines.filter((cosine) => cosine < 0).length / cosines.length,
    meanCosine: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length,
  };
}
