import { solvePositiveDefinite } from "./dense.js";

/**
 * The `x >= 0` that minimises `x' Q x / 2 + q' x`, for a symmetric positive definite `Q`, `n * n`: the active-set method
 * of Lawson and Hanson 1974 (chapter 23), exact up to rounding. At most some `n` solves of `O(n^3)`.
 */
export function nonNegativeQuadraticProgram(
  matrix: ArrayLike<number>,
  vector: ArrayLike<number>,
): Float64Array {
  const n = vector.length;
  const x = new Float64Array(n);
  const free: number[] = [];
  let scale = 0;
  for (const value of Array.from(vector)) scale = Math.max(scale, Math.abs(value));
  const descent = (i: number) => {
    let sum = -vector[i];
    for (let j = 0; j < n; j++) sum -= matrix[i * n + j] * x[j];
    return sum;
  };
  for (let round = 0; round < 10 * n; round++) {
    let best = -1;
    let steepest = 1e-13 * scale;
    for (let i = 0; i < n; i++) {
      if (free.includes(i)) continue;
      const slope = descent(i);
      if (slope > steepest) [best, steepest] = [i, slope];
    }
    if (best < 0) break;
    free.push(best);
    while (free.length > 0) {
      const target = solvePositiveDefinite(
        free.flatMap((i) => free.map((j) => matrix[i * n + j])),
        free.map((i) => -vector[i]),
      );
      if (target.every((value) => value > 0)) {
        for (const [at, i] of free.entries()) x[i] = target[at];
        break;
      }
      // Go towards the target until the first variable meets its bound, and hold that one there.
      let step = 1;
      for (const [at, i] of free.entries()) {
        if (target[at] <= 0) step = Math.min(step, x[i] / (x[i] - target[at]) || 0);
      }
      for (const [at, i] of free.entries()) x[i] += step * (target[at] - x[i]);
      for (let at = free.length - 1; at >= 0; at--) {
        if (target[at] <= 0 && x[free[at]] <= 1e-15) x[free.splice(at, 1)[0]] = 0;
      }
    }
  }
  return x;
}

/**
 * Weights `w >= 0` with sum 1 of the shortest convex combination of vectors.
 *
 * For the vectors divided by their lengths `l_i`, with the weights `v_i = w_i l_i` and `b_i = 1 / l_i`, it is the least `v'Cv` with
 * `b'v = 1`. For `x = t v` the program `min x'(C + bb')x / 2 - b'x` has its minimum over `t` at `-1 / (2 (v'Cv + 1))`: it is smallest
 * where `v'Cv` is. The division keeps the digits of a vector that is much shorter than another.
 *
 * @param cosines inner products of the divided vectors, `m * m`. @param lengths of the vectors, or more, each greater than 0
 */
export function shortestConvexCombination(
  cosines: ArrayLike<number>,
  lengths: ArrayLike<number>,
): Float64Array {
  const m = lengths.length;
  const shortest = Math.min(...Array.from(lengths));
  const b = Float64Array.from(lengths, (length) => shortest / length);
  // The ridge makes linearly dependent gradients solvable; it is below what float32 sums resolve.
  const matrix = Float64Array.from(
    { length: m * m },
    (_, at) => cosines[at] + b[Math.floor(at / m)] * b[at % m] + (at % (m + 1) === 0 ? 1e-12 : 0),
  );
  const x = nonNegativeQuadraticProgram(
    matrix,
    b.map((value) => -value),
  ).map((value, i) => value * b[i]);
  const sum = x.reduce((total, value) => total + value, 0);
  return x.map((value) => value / sum);
}
