import { describe, it } from "vitest";
import { describeClassLoss } from "../../test/class-loss.js";
import { expectGolden, golden } from "../../test/golden.js";
import { cosFace } from "./cos-face.js";

describe("cosFace equals its peer", () => {
  it("cosFace", () =>
    expectGolden("cosFace", (x, weights) => cosFace(x, golden.labels, { weights, scale: 8 })));
});

describeClassLoss("cosFace", cosFace, [3, 4]);
