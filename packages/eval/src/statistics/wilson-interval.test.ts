import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { wilsonInterval } from "./wilson-interval.js";

it("is Wilson's", () => {
  // Brown, Cai & DasGupta 2001: 0 of 10 gives [0, 0.2775].
  expectClose(wilsonInterval(0, 10), [0, 0.2775], { absolute: 1e-4 });
  expectClose(wilsonInterval(0.5, 100), [0.4038, 0.5962], { absolute: 1e-4 });
  // With z = 1: centre (p + 1/2n)/(1 + 1/n) = 3/5, half sqrt(p q/n + 1/4n^2)/(1 + 1/n) = sqrt(1/16)/(5/4) for n = 4.
  const half = Math.sqrt((0.625 * 0.375) / 4 + 1 / 64) / 1.25;
  expectClose(wilsonInterval(0.625, 4, 1), [0.6 - half, 0.6 + half], { absolute: 1e-12 });
  for (const n of [1, 3, 10, 1e6]) {
    expect(wilsonInterval(1, n)[1]).toBe(1);
    expect(wilsonInterval(0, n)[0]).toBe(0);
    expect(wilsonInterval(1, n)[0]).toBeCloseTo(1 - wilsonInterval(0, n)[1], 12);
  }
});

it.each([
  [1, 2, 0.09453120573423074, 0.9054687942657693],
  [0, 5, 0, 0.43448246478317476],
  [10, 10, 0.7224672001371109, 1],
  [37, 50, 0.6044684273515115, 0.8412847250644762],
  [3, 10000, 0.00010203219941781012, 0.0008817357722363797],
])("is that of scipy.stats.binomtest(%i, %i)", (right, n, low, high) => {
  expectClose(wilsonInterval(right / n, n), [low, high], { absolute: 1e-15 });
});

it("refuses what is no share of trials", () => {
  expect(() => wilsonInterval(5, 10)).toThrow(
    "wilsonInterval: share must be a finite number, at least 0 and at most 1, got 5",
  );
  expect(() => wilsonInterval(Number.NaN, 10)).toThrow(/share must be/);
  expect(() => wilsonInterval(0.5, 0)).toThrow("wilsonInterval: n must be an integer, at least 1, got 0");
  expect(() => wilsonInterval(0.5, 10, 0)).toThrow(
    "wilsonInterval: z must be a finite number, greater than 0, got 0",
  );
});
