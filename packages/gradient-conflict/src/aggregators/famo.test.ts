import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { expectLibMTL, expectRefusals, expectTorchJD, weighSteps } from "../../test/loss-weighting.js";
import { famo } from "./famo.js";

it("weighs as TorchJD and LibMTL over five steps", () => {
  expectTorchJD("famo", famo({ learningRate: 0.05, weightDecay: 1e-3 }));
  expectLibMTL("famo", famo({ learningRate: 0.05, weightDecay: 1e-3 }));
});

it("begins with weights 1 / L and then favours the loss that falls slower", () => {
  const weights = weighSteps(famo(), [
    [1, 4],
    [0.5, 4],
    [0.25, 4],
  ]);
  expectClose(weights[0], [0.8, 0.2], { relative: 1e-6 });
  const second = [2 / 2.25, 0.25 / 2.25];
  expect(weights[1][1]).toBeGreaterThan(second[1]);
});

it("refuses what it cannot use", () => expectRefusals("famo", famo));
