import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { mmcr } from "./mmcr.js";

it("equals lightly's MMCRLoss", () =>
  expectGolden("mmcr", (views) => mmcr(views, { lambda: 0.3 }), { relative: 2e-5 }));

it("refuses views of another rank, and one view", () => {
  tf.tidy(() => {
    expect(() => mmcr(tf.ones([2, 3]))).toThrow("mmcr: views must be [n, views, dim]");
    expect(() => mmcr(tf.ones([2, 1, 3]))).toThrow("mmcr: views must be [n, views, dim]");
  });
});
