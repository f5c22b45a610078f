import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { expectLibMTL, expectRefusals, expectTorchJD, weighSteps } from "../../test/loss-weighting.js";
import { dwa } from "./dwa.js";

it("weighs as TorchJD and LibMTL over five steps", () => {
  expectTorchJD("dwa", dwa({ temperature: 1.5 }));
  expectLibMTL("dwa", dwa({ temperature: 1.5 }));
});

it("weighs by the ratio of the last two losses", () => {
  const weights = weighSteps(dwa(), [
    [1, 1],
    [0.5, 1],
    [9, 9],
    [9, 9],
  ]);
  expect(weights.slice(0, 2)).toEqual([
    [1, 1],
    [1, 1],
  ]);
  const shares = [Math.exp(0.5 / 2), Math.exp(1 / 2)];
  expectClose(
    weights[2],
    shares.map((x) => (2 * x) / (shares[0] + shares[1])),
    { relative: 1e-12 },
  );
  const later = [Math.exp(18 / 2), Math.exp(9 / 2)];
  expectClose(
    weights[3],
    later.map((x) => (2 * x) / (later[0] + later[1])),
    { relative: 1e-12 },
  );
});

it("refuses what it cannot use", () => expectRefusals("dwa", dwa));
