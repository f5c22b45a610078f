import { expectCloseNorm, normalArray } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { alignedMTL } from "./aligned-mtl.js";

const gramOf = (rows: number[][]) =>
  rows.flatMap((a) => rows.map((b) => a.reduce((sum, x, i) => sum + x * b[i], 0)));

/** With the errors that sums of float32 have: a share of the product of the lengths. */
function rounded(gram: number[], seed: number): number[] {
  const m = Math.sqrt(gram.length);
  const noise = normalArray(seed, gram.length);
  return gram.map((value, at) => {
    const [i, j] = [Math.floor(at / m), at % m].sort((a, b) => a - b);
    return value + 1e-7 * noise[i * m + j] * Math.sqrt(gram[i * (m + 1)] * gram[j * (m + 1)]);
  });
}

/** Weights by the eigenvectors of the exact inner products, which TorchJD's are in float64. */
const cases: Record<string, { rows: number[][]; weights: number[] }> = {
  // Eigenvalue 10 along (1, 3).
  "one and three times it": {
    rows: [
      [1, 2],
      [3, 6],
    ],
    weights: [0.2, 0.6],
  },
  // Eigenvalues 3 along (1, 1, 2) and 1 along (1, -1, 0).
  "two and their sum": {
    rows: [
      [1, 0],
      [0, 1],
      [1, 1],
    ],
    weights: [1, 1, 2].map((x) => (x * 2) / 9 / Math.sqrt(3)),
  },
  // Eigenvalues 10 along (1, 3, 0) and 1e-6 along (0, 0, 1).
  "one, three times it, and a short one": {
    rows: [
      [1, 0],
      [3, 0],
      [0, 1e-3],
    ],
    weights: [(1 / 7.5) * Math.sqrt(1e-7), (3 / 7.5) * Math.sqrt(1e-7), 1 / 3],
  },
  "a long one and a short one": {
    rows: [
      [1, 0],
      [0, 1e-5],
    ],
    weights: [0.5e-5, 0.5],
  },
};

describe.each(Object.entries(cases))("gradients that are %s", (_, { rows, weights }) => {
  it("have the direction of their exact inner products, whatever float32 rounds", () => {
    const direction = (w: ArrayLike<number>) =>
      rows[0].map((_, d) => rows.reduce((sum, row, i) => sum + w[i] * row[d], 0));
    const gram = gramOf(rows);
    expectCloseNorm(alignedMTL().weigh(gram).weights, weights, { relative: 1e-7 });
    for (let seed = 0; seed < 50; seed++) {
      const found = alignedMTL().weigh(rounded(gram, seed)).weights;
      // An error of 1e-7 of a long gradient is one of 1e-4 of a gradient that is 1000 times shorter.
      expectCloseNorm(direction(found), direction(weights), { relative: 1e-3 });
    }
  });
});

it("gives the preference where all gradients are zero", () => {
  expect(Array.from(alignedMTL({ preference: [2, 1] }).weigh([0, 0, 0, 0]).weights)).toEqual([2, 1]);
});
