import { describe, expect, it } from "vitest";
import { comparisonOf } from "./comparisons.js";

describe("comparisonOf", () => {
  it("averages the seeds of a set before the interval over sets, and takes runs as they are beside it", () => {
    const differences = [
      { set: 0, value: 1 },
      { set: 0, value: 3 },
      { set: 1, value: 4 },
      { set: 1, value: 4 },
    ];
    const { mean, overSets, overRuns } = comparisonOf(differences);
    expect(mean).toBe(3);
    // Sets 2 and 4: standard error 1, t(0.975, 1) = 12.706. Runs: standard deviation sqrt(2), t(0.975, 3) = 3.182.
    expect(overSets!.interval[0]).toBeCloseTo(3 - 12.7062, 3);
    expect(overRuns!.interval[1]).toBeCloseTo(3 + 3.18245 * Math.sqrt(2 / 4), 4);
  });

  it("has no interval over a single set", () => {
    const one = comparisonOf([
      { set: 0, value: 1 },
      { set: 0, value: 2 },
    ]);
    expect(one.overSets).toBeUndefined();
    expect(one.overRuns).toBeDefined();
  });
});
