import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { expectTorchJD, gram } from "../../test/loss-weighting.js";
import { randomWeighting } from "./random-weighting.js";

it("weighs as TorchJD with the same normal numbers", () =>
  expectTorchJD("randomWeighting", randomWeighting({ seed: 7 })));

it("draws weights that sum to 1, by seed and step", () => {
  const weigh = (seed: number, step: number) =>
    Array.from(randomWeighting({ seed }).weigh(gram, { step }).weights);
  const all = Array.from({ length: 500 }, (_, step) => weigh(3, step));
  for (const [a, b] of all) expectClose([a + b], [1], { relative: 1e-12 });
  expect(weigh(3, 9)).toEqual(all[9]);
  expect(weigh(4, 9)).not.toEqual(all[9]);
  const mean = all.reduce((sum, [a]) => sum + a, 0) / all.length;
  // The standard deviation of the softmax of two normals is 0.21; three of the mean's are 0.03.
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.03);
});
