import { describe, it } from "vitest";
import { describeClassLoss } from "../../test/class-loss.js";
import { expectGolden, golden } from "../../test/golden.js";
import { softTriple } from "./soft-triple.js";

describe("softTriple equals its peer", () => {
  it("softTriple", () =>
    expectGolden("softTriple", (x, weights) => softTriple(x, golden.labels, { weights })));
});

describeClassLoss("softTriple", softTriple, [3, 2, 4]);
