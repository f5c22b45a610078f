import { describe, expect, it } from "vitest";
import { summarizeCosines } from "./summarize-cosines.js";

describe("summarizeCosines", () => {
  it("gives the share of negative cosines and their mean", () => {
    expect(summarizeCosines([0.5, -0.25, 0, -1])).toEqual({ negativeShare: 0.5, meanCosine: -0.1875 });
    expect(() => summarizeCosines([])).toThrow(/must not be empty/);
  });
});
