import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { stepProjection } from "./projection.js";

it("is what the direction keeps of each gradient, computed on the vectors themselves", () => {
  const gradients = [
    [3, 0, 1],
    [-1, 2, 0],
    [0, 0, 0],
  ];
  const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  const weights = [0.5, 2, 1];
  const direction = gradients[0].map((_, d) => gradients.reduce((sum, g, i) => sum + weights[i] * g[d], 0));
  const gram = gradients.flatMap((a) => gradients.map((b) => dot(a, b)));
  const { shares, cosines } = stepProjection(["a", "b", "zero"], gram, weights);
  const expected = gradients.slice(0, 2).map((g) => dot(g, direction) / dot(g, g));
  expectClose([shares.a, shares.b, shares.zero], [...expected, 0], { relative: 1e-14 });
  const angles = gradients
    .slice(0, 2)
    .map((g) => dot(g, direction) / Math.sqrt(dot(g, g) * dot(direction, direction)));
  expectClose([cosines.a, cosines.b, cosines.zero], [...angles, 0], { relative: 1e-14 });
  expect(() => stepProjection(["a"], gram, weights)).toThrow(
    "stepProjection: expected 1 inner products and 1 weights for 1 losses, got 9 and 3",
  );
});

it("refuses names, inner products and weights that are not there", () => {
  expect(() => stepProjection(undefined as never, [1], [1])).toThrow(
    "stepProjection: names must be an array of the losses' names, got undefined",
  );
  expect(() => stepProjection(["a"], undefined as never, [1])).toThrow("for 1 losses, got undefined and 1");
  const of = (gram: number[], weights: number[]) => () => stepProjection(["a", "b"], gram, weights);
  expect(of([1, Number.NaN, 0, 1], [1, 1])).toThrow(
    "stepProjection: gram[1] must be a finite number, got NaN",
  );
  expect(of([1, -1, -1, -2], [1, 1])).toThrow(
    "stepProjection: gram[3] must be a finite number, at least 0, got -2",
  );
  expect(of([1, -1, -1, 2], [1, Number.NaN])).toThrow(
    "stepProjection: weights[1] must be a finite number, got NaN",
  );
});
