import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, goldenInput } from "../../test/golden.js";
import { leJEPA } from "./le-jepa.js";

it("equals lightly's LeJEPALoss", () =>
  expectGolden("leJEPA", (a, b) => {
    const views = { global: tf.expandDims(a, 0), local: tf.expandDims(b, 0) };
    return leJEPA(views, { directions: goldenInput("directions") });
  }));

it("refuses views whose rows differ", () => {
  tf.tidy(() => {
    expect(() => leJEPA({ global: tf.ones([1, 2, 3]), local: tf.ones([1, 3, 3]) })).toThrow(
      "global and local views [views, n, dim] of one n and dim, got [1,2,3] and [1,3,3]",
    );
  });
});
