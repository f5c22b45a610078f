import { describe, it } from "vitest";
import { describeClassLoss } from "../../test/class-loss.js";
import { expectGolden, golden } from "../../test/golden.js";
import { proxyNCA } from "./proxy-nca.js";

describe("proxyNCA equals its peer", () => {
  it("proxyNCA", () => expectGolden("proxyNCA", (x, weights) => proxyNCA(x, golden.labels, { weights })));
});

describeClassLoss("proxyNCA", proxyNCA, [3, 4]);
