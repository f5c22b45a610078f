/** The point of the probability simplex that is nearest to `y` (Duchi et al. 2008, figure 1). `O(m log m)`. */
export function projectOntoSimplex(y: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(y as ArrayLike<number>);
  const sorted = Float64Array.from(values).sort().reverse();
  let sum = 0;
  let shift = 0;
  for (const [i, value] of sorted.entries()) {
    sum += value;
    const candidate = (sum - 1) / (i + 1);
    if (value - candidate > 0) shift = candidate;
  }
  return values.map((value) => Math.max(0, value - shift));
}

/** `exp(x_i) / sum exp(x)`, without overflow. */
export function softmax(x: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(x as ArrayLike<number>);
  const largest = Math.max(...values);
  const exponentials = values.map((value) => Math.exp(value - largest));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}
