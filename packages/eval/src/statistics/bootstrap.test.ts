import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { bootstrapInterval, pairedBootstrap } from "./bootstrap.js";

const half = Array.from({ length: 400 }, (_, i) => i % 2 === 0);

it("is near the normal interval for many examples", () => {
  const { mean, interval } = bootstrapInterval(half);
  expect(mean).toBe(0.5);
  // 1.96 standard errors of 0.5 / sqrt(400); the ends of 10,000 resamples vary by 0.001.
  expectClose(interval, [0.5 - 0.049, 0.5 + 0.049], { absolute: 0.004 });
  const narrow = bootstrapInterval(half, { confidence: 0.5 }).interval;
  expectClose(narrow, [0.5 - 0.6745 * 0.025, 0.5 + 0.6745 * 0.025], { absolute: 0.003 });
});

it("is the same for the same seed, and another for another", () => {
  expect(bootstrapInterval(half, { seed: 3, resamples: 99 })).toEqual(
    bootstrapInterval(half, { seed: 3, resamples: 99 }),
  );
  expect(bootstrapInterval(half, { seed: 4, resamples: 99 })).not.toEqual(
    bootstrapInterval(half, { seed: 3, resamples: 99 }),
  );
});

it("draws both encoders' outcomes together", () => {
  const better = half.map((right, i) => right || i % 20 === 1);
  const { mean, interval } = pairedBootstrap(half, better);
  expect(mean).toBeCloseTo(0.05, 12);
  // Unpaired, the difference's standard error would be 0.035 and 0 inside of the interval.
  expect(interval[0]).toBeGreaterThan(0.02);
  expect(interval[1]).toBeLessThan(0.08);
  expect(pairedBootstrap(better, half).mean).toBeCloseTo(-0.05, 12);
  expect(pairedBootstrap([0.5, 1], [2.5, 3])).toEqual({ mean: 2, interval: [2, 2] });
});

it("refuses what has no interval", () => {
  expect(() => bootstrapInterval([])).toThrow(/bootstrapInterval: outcomes must hold an outcome/);
  expect(() => bootstrapInterval([Number.NaN])).toThrow(
    /outcomes\[0\] must be true, false or a finite number, got NaN/,
  );
  // scipy.stats.bootstrap: "each sample in `data` must contain two or more observations along `axis`".
  expect(() => bootstrapInterval([1])).toThrow("bootstrapInterval: outcomes must be two or more, got 1");
  expect(() => pairedBootstrap([1], [0])).toThrow("pairedBootstrap: outcomes must be two or more, got 1");
  expect(() => bootstrapInterval([1, 0], { confidence: 1 })).toThrow(
    /confidence must be .*less than 1, got 1/,
  );
  expect(() => bootstrapInterval([1, 0], { resamples: 0 })).toThrow(/resamples must be/);
  expect(() => pairedBootstrap([1], [1, 2])).toThrow(/got 1 and 2 outcomes/);
});

it("has the percentiles of the exact binomial distribution at 50,000 outcomes", () => {
  // 0.3 of 50,000: the count is binomial, whose 2.5 and 97.5 percentiles (scipy.stats.binom.ppf) are 14799 and 15201.
  const outcomes = Array.from({ length: 50_000 }, (_, i) => i % 10 < 3);
  const { mean, interval } = bootstrapInterval(outcomes);
  expect(mean).toBeCloseTo(0.3, 12);
  expectClose(interval, [14799 / 50_000, 15201 / 50_000], { absolute: 2e-4 });
});
