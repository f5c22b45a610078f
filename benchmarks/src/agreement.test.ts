import { describe, expect, it } from "vitest";
import { distance, tolerance } from "./agreement.js";

const outputs = (...values: number[][]) => values.map((each) => Float32Array.from(each));

describe("distance", () => {
  it("is the largest relative norm of a difference among outputs", () => {
    const expected = outputs([3, 4], [0, 2]);
    expect(distance(expected, expected)).toBe(0);
    expect(distance(outputs([3, 5], [0, 2]), expected)).toBeCloseTo(0.2, 12);
    expect(distance(outputs([3, 5], [1, 2]), expected)).toBeCloseTo(0.5, 12);
  });

  it("takes an output that cancels to almost nothing for equal, and one that is wrong by much not", () => {
    const expected = outputs([1000], [1e-7]);
    expect(distance(outputs([1000], [-1e-7]), expected)).toBe(0);
    expect(distance(outputs([1000], [0.5]), expected)).toBeGreaterThan(tolerance);
  });

  it.each([
    ["a number that is none", outputs([3, Number.NaN])],
    ["an infinite number", outputs([3, Number.POSITIVE_INFINITY])],
    ["another length", outputs([3])],
    ["another count", outputs([3, 4], [1])],
    ["zeros", outputs([0, 0])],
  ])("lets %s pass for nothing", (_, actual) => {
    expect(distance(actual, outputs([3, 4])) <= tolerance).toBe(false);
  });
});
