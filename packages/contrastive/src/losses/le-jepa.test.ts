import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, goldenInput } from "../../test/golden.js";
import { leJEPA, sigReg } from "./le-jepa.js";

const directions = () => goldenInput("directions");

it("sigReg equals lightly's SIGReg", () =>
  expectGolden("sigReg", (x) => sigReg(x, { directions: directions() })));

it("equals lightly's LeJEPALoss", () =>
  expectGolden("leJEPA", (a, b) =>
    leJEPA({ global: tf.expandDims(a, 0), local: tf.expandDims(b, 0) }, { directions: directions() }),
  ));

it("draws the same directions for the same seed", () => {
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(1, 60), [12, 5]);
    const [first, again, other] = [1, 1, 2].map((seed) => sigReg(x, { seed }).dataSync()[0]);
    expectClose([again], [first], {});
    expect(other).not.toBe(first);
  });
});

it("refuses views whose rows differ", () => {
  tf.tidy(() => {
    expect(() => leJEPA({ global: tf.ones([1, 2, 3]), local: tf.ones([1, 3, 3]) })).toThrow(
      "global and local views [views, n, dim] of one n and dim, got [1,2,3] and [1,3,3]",
    );
  });
});
