import { checkChoice } from "../shared/check-options.js";

/** The rule for an anchor that has no positive: an error, no loss at all, or a loss of 0 that counts in the mean. */
export type WithoutPositives = "error" | "skip" | "zero";

/**
 * Checks the rule, and refuses anchors without positives where it says so.
 *
 * @param counts positives of each anchor
 * @returns the anchors that have none
 */
export function anchorsWithoutPositives(
  caller: string,
  counts: ArrayLike<number>,
  rule: WithoutPositives = "error",
): Int32Array {
  checkChoice(`${caller}: withoutPositives`, rule, ["error", "skip", "zero"]);
  const lonely = Int32Array.from(Array.from(counts).flatMap((count, i) => (count === 0 ? [i] : [])));
  if (lonely.length > 0 && rule === "error") {
    throw new Error(
      `${caller}: anchor ${lonely[0]} has no positive; withoutPositives "skip" or "zero" takes such anchors`,
    );
  }
  return lonely;
}
