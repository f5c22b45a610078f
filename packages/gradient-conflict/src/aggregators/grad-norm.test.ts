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
