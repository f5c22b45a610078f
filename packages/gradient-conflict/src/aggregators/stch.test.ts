import { expectClose } from "@dcr-js/testing";
import { it } from "vitest";
import { expectRefusals, expectTorchJD, golden, gram } from "../../test/loss-weighting.js";
import { stch } from "./stch.js";

it("weighs as TorchJD over five steps", () =>
  expectTorchJD("stch", stch({ mu: 0.3, preference: golden.preference, ideal: golden.ideal })));

it("is the gradient of its smooth maximum", () => {
  const smooth = (losses: number[]) =>
    0.3 * Math.log(losses.reduce((sum, l) => sum + Math.exp((0.5 * l) / 0.3), 0));
  const losses = [1, 0.4];
  const { weights } = stch({ mu: 0.3 }).weigh(gram, { losses });
  for (const i of [0, 1]) {
    const up = losses.map((l, k) => (k === i ? l + 1e-5 : l));
    const down = losses.map((l, k) => (k === i ? l - 1e-5 : l));
    expectClose([weights[i]], [(smooth(up) - smooth(down)) / 2e-5], { relative: 1e-6 });
  }
  const shifted = stch({ mu: 0.3, ideal: [0.6, 0], preference: [0.5, 0.5] }).weigh(gram, { losses });
  expectClose(shifted.weights, [0.25, 0.25], { relative: 1e-12 });
});

it("refuses what it cannot use", () => expectRefusals("stch", stch));
