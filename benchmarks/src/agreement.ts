/** Relative norm within which outputs agree. */
export const tolerance = 1e-3;

/** An output that is almost nothing beside the others may differ by this share of their norm: cancellation, not error. */
const negligible = 1e-5;

/** The largest relative norm of a difference among outputs. */
export function distance(actual: Float32Array[], expected: Float32Array[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const whole = Math.hypot(...expected.map(norm));
  return Math.max(
    ...expected.map((values, i) => {
      if (actual[i].length !== values.length) return Number.POSITIVE_INFINITY;
      const difference = norm(values.map((value, j) => value - actual[i][j]));
      if (difference <= negligible * whole) return 0;
      return difference / norm(values);
    }),
  );
}

const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
