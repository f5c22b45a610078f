import { expect, it } from "vitest";
import { topK } from "./top-k.js";

/** Scores that are the cosines. */
const exact = (...values: number[]) => ({
  scores: Float32Array.from(values),
  unit: 1,
  error: 0,
  cosine: (j: number) => values[j],
});

it("keeps the first of equal values and leaves one out", () => {
  const row = exact(2, 5, 2, 5, 1, 2);
  expect([...topK(row, 4, -1).indices]).toEqual([1, 3, 0, 2]);
  expect([...topK(row, 3, 1).indices]).toEqual([3, 0, 2]);
  expect([...topK(row, 2, -1).similarities]).toEqual([5, 5]);
  expect([...topK(exact(-3, -1, -2), 3, -1).indices]).toEqual([1, 2, 0]);
});

it("orders by the cosines where scores are within their error", () => {
  const cosines = [0.5, 0.54, 0.3, 0.47, 0.51];
  const scores = Int32Array.of(52, 51, 30, 49, 49);
  const row = { scores, unit: 100, error: 3, cosine: (j: number) => cosines[j] };
  expect([...topK(row, 2, -1).indices]).toEqual([1, 4]);
  expect([...topK(row, 4, 1).indices]).toEqual([4, 0, 3, 2]);
});
