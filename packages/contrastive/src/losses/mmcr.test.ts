import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden } from "../../test/golden.js";
import { mmcr } from "./mmcr.js";

it("equals lightly's MMCRLoss", () =>
  expectGolden("mmcr", (views) => mmcr(views, { lambda: 0.3 }), { relative: 2e-5 }));

it("has the unit of its views, where squares of them are no float32 too", () => {
  tf.tidy(() => {
    const views = tf.reshape(tf.tensor1d(normalArray(5, 24)), [4, 2, 3]) as tf.Tensor3D;
    const loss = (scale: number) => mmcr(tf.mul(views, scale)).dataSync()[0];
    for (const scale of [1e-23, 1e20]) expectClose([loss(scale) / scale], [loss(1)], { relative: 1e-5 });
    expect(
      tf
        .grad((x) => mmcr(x))(tf.mul(views, 1e-23))
        .dataSync()
        .every(Number.isFinite),
    ).toBe(true);
  });
});

it("refuses views of another rank, and one view", () => {
  tf.tidy(() => {
    expect(() => mmcr(tf.ones([2, 3]))).toThrow("mmcr: views must be [n, views, dim]");
    expect(() => mmcr(tf.ones([2, 1, 3]))).toThrow("mmcr: views must be [n, views, dim]");
  });
});
