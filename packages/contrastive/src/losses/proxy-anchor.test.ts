import { describe, it } from "vitest";
import { describeClassLoss } from "../../test/class-loss.js";
import { expectGolden, golden } from "../../test/golden.js";
import { proxyAnchor } from "./proxy-anchor.js";

describe("proxyAnchor equals its peer", () => {
  it("proxyAnchor", () =>
    expectGolden("proxyAnchor", (x, weights) => proxyAnchor(x, golden.labels, { weights })));
});

describeClassLoss("proxyAnchor", proxyAnchor, [3, 4]);
