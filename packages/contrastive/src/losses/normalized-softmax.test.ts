import { describe, it } from "vitest";
import { describeClassLoss } from "../../test/class-loss.js";
import { expectGolden, golden } from "../../test/golden.js";
import { normalizedSoftmax } from "./normalized-softmax.js";

describe("normalizedSoftmax equals its peer", () => {
  it("normalizedSoftmax", () =>
    expectGolden("normalizedSoftmax", (x, weights) => normalizedSoftmax(x, golden.labels, { weights })));
});

describeClassLoss("normalizedSoftmax", normalizedSoftmax, [3, 4]);
