import { describe, expect, it } from "vitest";
import { choose } from "./choose.js";
import type { PartResults } from "./comparisons.js";
import type { StudyPart } from "./plan.js";

const names = ["small", "medium", "large"];
const part: StudyPart = {
  name: "tuning-rec",
  title: "",
  split: "validation",
  sets: [0],
  seeds: [0, 1],
  methods: names.map((name) => ({ name, method: "rec" })),
};

/** Results of two seeds that lie a point to both sides of these `[D, P]`. */
const results = (figures: Record<string, [number, number]>): PartResults =>
  [-0.01, 0.01].map((off, seed) => ({
    set: 0,
    seed,
    result: {
      settings: { methods: [], seeds: [seed] },
      device: "wasm",
      methods: Object.fromEntries(
        Object.entries(figures).map(([name, [D, P]]) => [
          name,
          { figures: { means: { D: D + off, "P strict": P - off } }, patterns: {} },
        ]),
      ),
    },
  }));

describe("choose", () => {
  it("takes the highest P that costs at most five points of D, over the seeds", () => {
    const found = { original: [0.6, 0.2], small: [0.59, 0.21], medium: [0.551, 0.25], large: [0.549, 0.3] };
    expect(choose(part, results(found as never)).name).toBe("medium");
  });

  it("takes the highest D where every configuration costs more", () => {
    const found = { original: [0.7, 0.2], small: [0.59, 0.21], medium: [0.61, 0.2], large: [0.5, 0.3] };
    expect(choose(part, results(found as never)).name).toBe("medium");
  });
});
