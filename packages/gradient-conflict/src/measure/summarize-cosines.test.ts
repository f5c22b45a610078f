import { describe, expect, it } from "vitest";
import { summarizeCosines } from "./summarize-cosines.js";

describe("summarizeCosines", () => {
  it("gives the share of negative cosines and their mean", () => {
    expect(summarizeCosines([0.5, -0.25, 0, -1])).toEqual({ negativeShare: 0.5, meanCosine: -0.1875 });
    expect(() => summarizeCosines([])).toThrow(/must not be empty/);
    expect(summarizeCosines([1, -1]).meanCosine).toBe(0);
    for (const cosine of [2, -1.01, Number.NaN])
      expect(() => summarizeCosines([0, cosine])).toThrow(
        "summarizeCosines: cosines[1] must be a finite number, at least -1 and at most 1",
      );
  });
});
