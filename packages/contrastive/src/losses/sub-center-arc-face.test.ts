import { describe, it } from "vitest";
import { describeClassLoss } from "../../test/class-loss.js";
import { expectGolden, golden } from "../../test/golden.js";
import { subCenterArcFace } from "./sub-center-arc-face.js";

describe("subCenterArcFace equals its peer", () => {
  it("subCenterArcFace", () =>
    expectGolden("subCenterArcFace", (x, weights) =>
      subCenterArcFace(x, golden.labels, { weights, scale: 8 }),
    ));
});

describeClassLoss("subCenterArcFace", subCenterArcFace, [3, 2, 4]);
