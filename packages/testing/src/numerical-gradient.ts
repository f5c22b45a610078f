/**
 * Gradient of `f` at `x` by central differences in float64, `(f(x + h e_i) - f(x - h e_i)) / 2h` for each `i`: an oracle
 * for functions written naively from their equation. The error is about `step ** 2`.
 *
 * @param f Must not keep or change the array it gets.
 * @param step Default `1e-5`: near the cube root of float64's rounding error, where truncation and rounding balance.
 */
export function numericalGradient(
  f: (x: Float64Array) => number,
  x: Float64Array,
  step = 1e-5,
): Float64Array {
  const point = Float64Array.from(x);
  return Float64Array.from(x, (value, i) => {
    const h = step * Math.max(1, Math.abs(value));
    point[i] = value + h;
    const above = f(point);
    point[i] = value - h;
    const below = f(point);
    point[i] = value;
    return (above - below) / (2 * h);
  });
}
