import { checkNumber } from "../shared/check-options.js";

/**
 * Two cosines that differ by no more than this are a tie. float32 gives parallel rows cosines that differ by their rounding,
 * 1e-7 or so, and rounding must not decide for the right answer.
 */
export const defaultTieTolerance = 1e-6;

export interface TieOptions {
  /** Cosines that differ by no more than this are a tie, and a tie is never right. Default 1e-6; at least 0. */
  tieTolerance?: number;
}

/** The option's value, checked. */
export function checkTieTolerance(
  caller: string,
  { tieTolerance = defaultTieTolerance }: TieOptions,
): number {
  return checkNumber(`${caller}: tieTolerance`, tieTolerance, { min: 0, max: 2 });
}
