import { describe, expect, it } from "vitest";
import type { PartResults } from "./comparisons.js";
import type { StudyMethod } from "./plan.js";
import { compareEnvelopes, envelope, interpolate } from "./trade-off.js";

const point = (D: number, P: number) => ({ D, P });

describe("envelope", () => {
  it("drops points that another beats in both, and orders the rest by P", () => {
    const points = [point(50, 25), point(60, 20), point(49, 24), point(55, 23), point(55, 23)];
    expect(envelope(points)).toEqual([point(60, 20), point(55, 23), point(55, 23), point(50, 25)]);
  });
});

describe("interpolate", () => {
  it("is linear between points, and flat beyond them", () => {
    const points = [
      [20, 60],
      [24, 50],
    ] as const;
    expect([19, 20, 21, 24, 30].map((x) => interpolate(points, x))).toEqual([60, 60, 57.5, 50, 50]);
  });
});

describe("compareEnvelopes", () => {
  it("compares at the largest P that both methods reach, or at the smallest D that both keep, within each run", () => {
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
    const pair = { of: "dcr", minus: "rec" };
    const atP = compareEnvelopes(results, methods, { ...pair, at: "P" });
    expect(atP.mean).toBeCloseTo((1.5 + 3) / 2, 10);
    expect(atP.overSets!.standardError).toBeCloseTo(0.75, 10);
    // At D 56 dcr has P 23.2 against 22; at D 55 P 24 against 22.5, five eighths of rec's way.
    const atD = compareEnvelopes(results, methods, { ...pair, at: "D" });
    expect(atD.mean).toBeCloseTo((1.2 + 1.5) / 2, 10);
    expect(atD.overSets!.standardError).toBeCloseTo(0.15, 10);
  });
});
