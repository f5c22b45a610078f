import { describe, it } from "vitest";
import { describeClassLoss } from "../../test/class-loss.js";
import { expectGolden, golden } from "../../test/golden.js";
import { arcFace } from "./arc-face.js";

describe("arcFace equals its peer", () => {
  it("arcFace", () =>
    expectGolden("arcFace", (x, weights) => arcFace(x, golden.labels, { weights, scale: 8 })));
  it("arcFace wide", () =>
    expectGolden("arcFace wide", (x, weights) =>
      arcFace(x, golden.labels, { weights, margin: 100, scale: 8 }),
    ));
});

describeClassLoss("arcFace", arcFace, [3, 4]);
