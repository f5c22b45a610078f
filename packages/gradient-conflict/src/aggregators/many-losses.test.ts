import { expect, it } from "vitest";
import { conFIG } from "./con-fig.js";
import { eigenSymmetric } from "./dense.js";
import { imtlG } from "./imtl-g.js";
import { mgda } from "./mgda.js";

// As many as a batch has instances: the entries of the Gram matrix are more than an argument list may hold.
const m = 400;
const squares = Float64Array.from({ length: m }, (_, i) => 1 + (i % 7));
const gram = new Float64Array(m * m);
for (const [i, square] of squares.entries()) gram[i * (m + 1)] = square;

it("eigenSymmetric takes any number of rows", () => {
  expect(eigenSymmetric(gram, m).values).toEqual(squares);
});

it("weighs orthogonal gradients of 400 losses as their papers say", () => {
  // The shortest vector of the convex hull: w_i in proportion to 1 / |g_i|^2.
  const total = squares.reduce((sum, square) => sum + 1 / square, 0);
  // ConFIG and IMTL-G have equal projections on all gradients: w_i |g_i|^2 in proportion to |g_i|.
  const lengths = squares.reduce((sum, square) => sum + 1 / Math.sqrt(square), 0);
  for (const [aggregator, expected] of [
    [mgda(), (square: number) => 1 / square / total],
    [conFIG(), (square: number) => 1 / Math.sqrt(square)],
    [imtlG(), (square: number) => 1 / Math.sqrt(square) / lengths],
  ] as const) {
    const { weights } = aggregator.weigh(gram);
    const ratio = weights[0] / expected(squares[0]);
    expect(ratio, aggregator.name).toBeGreaterThan(0);
    for (const [i, weight] of weights.entries()) {
      expect(Math.abs(weight / expected(squares[i]) / ratio - 1), `${aggregator.name} ${i}`).toBeLessThan(
        1e-4,
      );
    }
  }
});
