import { it } from "vitest";
import { expectTorchJD, golden } from "../../test/loss-weighting.js";
import { weightedSum } from "./weighted-sum.js";

it("weighs as TorchJD's constant weights", () =>
  expectTorchJD("weightedSum", weightedSum(golden.preference)));
