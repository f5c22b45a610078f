import { expectClose } from "@dcr-js/testing";
import { describe, expect, it } from "vitest";
import { meanInterval } from "./mean-interval.js";

describe("meanInterval", () => {
  // scipy.stats.t.ppf(0.5 + confidence / 2, n - 1), SciPy
  it.each([
    [2, 0.95, 12.706204736174694],
    [3, 0.95, 4.302652729749462],
    [4, 0.95, 3.1824463052837078],
    [9, 0.95, 2.306004135204166],
    [10, 0.99, 3.249835541592126],
    [31, 0.9, 1.697260886593957],
    [1000, 0.95, 1.9623414611334493],
  ])("with %i values reaches as far as SciPy's quantile at %d", (n, confidence, t) => {
    // Mean 3, and a standard deviation that is easy: values 3 ± s.
    const values = Array.from({ length: n }, (_, i) => 3 + (i % 2 === 0 ? 1 : -1));
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
    const found = meanInterval(values, { confidence });
    expectClose([found.mean, found.standardError], [mean, deviation / Math.sqrt(n)], { relative: 1e-12 });
    const half = t * found.standardError;
    expectClose(found.interval, [mean - half, mean + half], { relative: 1e-9 });
  });

  it("refuses one value, and a confidence that is none", () => {
    expect(() => meanInterval([1])).toThrow("meanInterval: values must be two or more, got 1");
    expect(() => meanInterval([1, 2], { confidence: 95 })).toThrow("meanInterval: confidence must be");
  });
});
