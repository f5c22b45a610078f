import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { expectLibMTL, expectRefusals, weighSteps } from "../../test/loss-weighting.js";
import { gradNorm } from "./grad-norm.js";

it("weighs as LibMTL over five steps", () => expectLibMTL("gradNorm", gradNorm({ learningRate: 0.05 })));

it("lowers the weight of the longer gradient and keeps the sum", () => {
  const weights = weighSteps(gradNorm({ learningRate: 0.1 }), [
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  expect(weights[0]).toEqual([1, 1]);
  // |g| is 2 and 1, their mean 1.5: the first falls by 0.1 * 2, the second rises by 0.1 * 1.
  expectClose(
    weights[1],
    [0.8, 1.1].map((x) => (x * 2) / 1.9),
    { relative: 1e-12 },
  );
  for (const row of weights) expectClose([row[0] + row[1]], [2], { relative: 1e-12 });
});

it("refuses what it cannot use", () => expectRefusals("gradNorm", gradNorm));

it("takes losses that have come to 0, and none that begin there", () => {
  const { weights, memory } = gradNorm().weigh([1, 0, 0, 1], { losses: [0, 0], memory: [1, 1, 1, 1] });
  expect([...weights, ...memory!]).toEqual([1, 1, 1, 1, 1, 1]);
  expect(() => gradNorm().weigh([1, 0, 0, 1], { losses: [0, 1] })).toThrow(
    "gradNorm: the first value of loss 0 must be a finite number, greater than 0, got 0",
  );
});

it("changes a weight by a factor e at most before their sum is made m", () => {
  // Lengths 1e4 and 1: a step of 0.025 * 1e4 is 250 times the weight.
  const [, second, third] = weighSteps(gradNorm(), new Array(3).fill([1, 1]), [1e8, 0, 0, 1]);
  expectClose(
    second,
    [Math.exp(-1), 1.025].map((x) => (x * 2) / (Math.exp(-1) + 1.025)),
    { relative: 1e-12 },
  );
  expect(third[0]).toBeGreaterThan(second[0] / Math.E - 1e-12);
});
