import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, goldenInput } from "../../test/golden.js";
import { sigReg } from "./sig-reg.js";

it("equals lightly's SIGReg", () =>
  expectGolden("sigReg", (x) => sigReg(x, { directions: goldenInput("directions") })));

it("draws the same directions for the same seed", () => {
  tf.tidy(() => {
    const x = tf.tensor2d(normalArray(1, 60), [12, 5]);
    const [first, again, other] = [1, 1, 2].map((seed) => sigReg(x, { seed }).dataSync()[0]);
    expectClose([again], [first], {});
    expect(other).not.toBe(first);
  });
});

it("refuses unknown options", () => {
  tf.tidy(() => {
    expect(() => sigReg(tf.ones([4, 3]), { knot: 1 } as never)).toThrow('sigReg: unknown option "knot"');
  });
});
