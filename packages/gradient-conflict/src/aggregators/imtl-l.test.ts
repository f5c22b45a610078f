import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { expectRefusals, expectTorchJD, weighSteps } from "../../test/loss-weighting.js";
import { imtlL } from "./imtl-l.js";

it("weighs as TorchJD over five steps", () => expectTorchJD("imtlL", imtlL({ learningRate: 0.05 })));

it("brings all weighted losses to 1", () => {
  const weights = weighSteps(imtlL({ learningRate: 0.2 }), new Array(200).fill([4, 0.25])).at(-1)!;
  expectClose(weights, [0.25, 4], { relative: 1e-3 });
});

it("refuses what it cannot use", () => expectRefusals("imtlL", imtlL));

it("refuses a negative loss, whose weight would grow without bound", () => {
  expect(() => imtlL().weigh([1, 0, 0, 1], { losses: [-1, 0], names: ["a", "b"] })).toThrow(
    'imtlL: loss "a" must be a finite number, at least 0, got -1',
  );
});

it("changes a weight by a factor e at most, and comes to 1 / L of large losses", () => {
  const [first, second, ...later] = weighSteps(imtlL(), new Array(2000).fill([1e4, 1]));
  expect(first).toEqual([1, 1]);
  expectClose(second, [Math.exp(-1), 1], { relative: 1e-12 });
  expectClose(later.at(-1)!, [1e-4, 1], { relative: 1e-3 });
});
