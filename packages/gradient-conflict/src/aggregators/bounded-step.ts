/** The longest step of a weight's logarithm. */
const longest = 1;

/**
 * A step of a weight's logarithm, cut to one that changes the weight by a factor e at most. The slope of a loss of 1e4 is as large: a step
 * along it would leave a weight of 1e-36, which the small slope of the way back would not raise in any run.
 */
export function boundedStep(step: number): number {
  return Math.min(longest, Math.max(-longest, step));
}
