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

it("refuses a loss below its least, which would count as one of 1e-8 and silence all others", () => {
  const weigh = (losses: number[], minLosses?: number[]) =>
    famo({ minLosses }).weigh([1, 0, 0, 1], { losses, names: ["a", "b"] });
  expect(() => weigh([2, -0.5])).toThrow('famo: loss "b" must be a finite number, at least 0, got -0.5');
  expect(() => weigh([0.5, 2], [1, 0])).toThrow(
    'famo: loss "a" must be a finite number, at least 1, got 0.5',
  );
  // Weights 1 / (L - min).
  expectClose(weigh([1, -0.5], [0, -2.5]).weights, [2 / 3, 1 / 3], { relative: 1e-7 });
  expectClose(weigh([0, 2]).weights, [1, 5e-9], { relative: 1e-7 });
});
