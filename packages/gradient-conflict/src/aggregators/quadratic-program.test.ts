import { expectClose, expectCloseNorm, normalArray } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { eigenSymmetric, solvePositiveDefinite } from "./dense.js";
import { nonNegativeQuadraticProgram, shortestConvexCombination } from "./quadratic-program.js";

const gram = (seed: number, m: number, n: number) => {
  const x = normalArray(seed, m * n);
  const row = (i: number) => Array.from(x.subarray(i * n, (i + 1) * n));
  return Array.from({ length: m * m }, (_, at) => {
    const [a, b] = [row(Math.floor(at / m)), row(at % m)];
    return a.reduce((sum, value, d) => sum + value * b[d], 0);
  });
};
const times = (a: ArrayLike<number>, x: ArrayLike<number>) =>
  Array.from(x, (_, i) => Array.from(x).reduce((sum, value, j) => sum + a[i * x.length + j] * value, 0));

describe("solvePositiveDefinite and eigenSymmetric", () => {
  it("decompose a matrix with equal entries on the diagonal and zeros beside them", () => {
    const { values } = eigenSymmetric([1, 0, 0.5, 0, 1, 0, 0.5, 0, 1], 3);
    expectClose(values.sort(), [0.5, 1, 1.5], { relative: 1e-14 });
  });

  it("solve and decompose", () => {
    for (const m of [1, 2, 5, 8]) {
      const a = gram(m, m, m + 3);
      const b = Array.from(normalArray(20 + m, m));
      expectCloseNorm(times(a, solvePositiveDefinite(a, b)), b, { relative: 1e-10 });
      const { values, vectors } = eigenSymmetric(a, m);
      const rebuilt = a.map((_, at) =>
        values.reduce(
          (s, v, e) => s + v * vectors[Math.floor(at / m) * m + e] * vectors[(at % m) * m + e],
          0,
        ),
      );
      expectCloseNorm(rebuilt, a, { relative: 1e-12 });
    }
    expect(() => solvePositiveDefinite([1, 2, 2, 1], [1, 1])).toThrow(
      /not positive definite \(pivot 1 is -3\)/,
    );
  });
});

describe("nonNegativeQuadraticProgram", () => {
  it("meets the conditions of Karush, Kuhn and Tucker, and is the best of all active sets", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const m = 1 + (seed % 5);
      const q = gram(seed, m, m + 1).map((x, at) => x + (at % (m + 1) === 0 ? 0.01 : 0));
      const c = Array.from(normalArray(100 + seed, m));
      const value = (x: ArrayLike<number>) =>
        times(q, x).reduce((sum, y, i) => sum + (x[i] * y) / 2 + c[i] * x[i], 0);
      const x = nonNegativeQuadraticProgram(q, c);
      const slope = times(q, x).map((y, i) => y + c[i]);
      for (let i = 0; i < m; i++) {
        expect(x[i]).toBeGreaterThanOrEqual(0);
        expect(slope[i]).toBeGreaterThanOrEqual(-1e-9);
        expect(Math.abs(x[i] * slope[i])).toBeLessThan(1e-8);
      }
      let best = 0;
      for (let set = 1; set < 2 ** m; set++) {
        const free = c.map((_, i) => i).filter((i) => (set >> i) & 1);
        const y = solvePositiveDefinite(
          free.flatMap((i) => free.map((j) => q[i * m + j])),
          free.map((i) => -c[i]),
        );
        if (y.some((v) => v < 0)) continue;
        const point = new Float64Array(m);
        for (const [at, i] of free.entries()) point[i] = y[at];
        best = Math.min(best, value(point));
      }
      expectClose([value(x)], [best], { relative: 1e-9, absolute: 1e-12 });
    }
  });
});

describe("shortestConvexCombination", () => {
  it("is known for two vectors", () => {
    // Sener and Koltun 2018, algorithm 1: w = (|b|^2 - a.b) / |a - b|^2, cut to [0, 1].
    const of = (cosine: number, norms: number[]) => shortestConvexCombination([1, cosine, cosine, 1], norms);
    expectClose(of(1 / Math.sqrt(8), [2, Math.SQRT2]), [0.25, 0.75], { relative: 1e-9 });
    expectClose(of(3 / Math.sqrt(10), [2, Math.sqrt(2.5)]), [0, 1], { absolute: 1e-9 });
    expectClose(of(-1, [1, 1]), [0.5, 0.5], { relative: 1e-9 });
    // The longer one has the share that its component along the shorter one takes: |b| / |a| times the cosine.
    expectClose(of(-0.5, [1e20, 1e-23]), [0.5e-43, 1], { relative: 1e-9 });
  });
});
