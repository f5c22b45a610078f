import { describe, expect, it } from "vitest";
import type { PartResults } from "./comparisons.js";
import type { StudyMethod } from "./plan.js";
import { atEqualP, dAt, envelope } from "./trade-off.js";

const point = (D: number, P: number) => ({ D, P });

describe("envelope", () => {
  it("drops points that another beats in both, and orders the rest by P", () => {
    const points = [point(50, 25), point(60, 20), point(49, 24), point(55, 23), point(55, 23)];
    expect(envelope(points)).toEqual([point(60, 20), point(55, 23), point(55, 23), point(50, 25)]);
  });
});

describe("dAt", () => {
  it("is linear between points, and flat beyond them", () => {
    const points = [point(60, 20), point(50, 24)];
    expect([19, 20, 21, 24, 30].map((P) => dAt(points, P))).toEqual([60, 60, 57.5, 50, 50]);
  });
});

describe("atEqualP", () => {
  it("compares D at the largest P that both methods reach, within each run", () => {
    const methods: StudyMethod[] = [
      { name: "dcr a", method: "dcr" },
      { name: "rec a", method: "rec" },
    ];
    const run = (set: number, dcr: [number, number], rec: [number, number]): PartResults[number] => ({
      set,
      seed: 0,
      result: {
        settings: { methods: [], seeds: [0] },
        device: "wasm",
        methods: Object.fromEntries(
          Object.entries({ original: [0.6, 0.2], "dcr a": dcr, "rec a": rec }).map(([name, [D, P]]) => [
            name,
            { figures: { means: { D, "P strict": P } }, patterns: {} },
          ]),
        ),
      },
    });
    // In the first, P 22 is half of dcr's way: D 57.5 against 56; in the second both reach P 24, D 55 against 52.
    const results = [run(0, [0.55, 0.24], [0.56, 0.22]), run(1, [0.55, 0.24], [0.52, 0.24])];
    const { mean, overSets } = atEqualP(results, methods, { of: "dcr", minus: "rec" });
    expect(mean).toBeCloseTo((1.5 + 3) / 2, 10);
    expect(overSets!.standardError).toBeCloseTo(0.75, 10);
  });
});
