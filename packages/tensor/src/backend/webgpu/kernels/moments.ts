import { f32, type Uniform } from "../launch.js";

// Mean and variance of `count` numbers up to the largest that float32 has. WGSL has no float64, so that a sum of large numbers, or a square
// beyond 1.8e19, would overflow.

/**
 * Uniforms for the moments: `share`, a power of two below 1 / count, so that a sum of shares does not overflow; `small`, 2^-70, for squares
 * of what is large; and `epsilon`.
 */
export const momentUniforms = (count: number, epsilon: number): Uniform[] => [
  f32("share", 2 ** -Math.ceil(Math.log2(Math.max(1, count)))),
  f32("small", 2 ** -70),
  f32("epsilon", epsilon),
];

/**
 * WGSL of 1 / sqrt(var + epsilon), from the mean of the squares of the differences to a mean, the same of those differences times `u.small`,
 * and what rounding left out of that mean.
 */
export const rstdDeclaration = `
fn rstdOf(meanSquare: f32, smallMeanSquare: f32, meanRest: f32) -> f32 {
  let isFinite = (bitcast<u32>(meanSquare) & 0x7f800000u) != 0x7f800000u;
  if (isFinite) { return 1.0 / sqrt(max(meanSquare - meanRest * meanRest, 0.0) + u.epsilon); }
  let smallRest = meanRest * u.small;
  // Beside these, epsilon is nothing.
  return u.small / sqrt(smallMeanSquare - smallRest * smallRest);
}`;
