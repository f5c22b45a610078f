import { it } from "vitest";
import { expectPeer, golden } from "../../test/loss-weighting.js";
import { weightedSum } from "./weighted-sum.js";

it("weighs as TorchJD's constant weights", () => expectPeer("weightedSum", weightedSum(golden.preference)));
