import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { logOnePlusSumExp, maskedLogSumExp } from "./masked-log-sum-exp.js";

it("logOnePlusSumExp keeps all axes but the last, sums far below 1 and scores far above", () => {
  tf.tidy(() => {
    expectClose(logOnePlusSumExp(tf.tensor1d([0, 0])), [Math.log(3)], { relative: 1e-6 });
    const x = tf.tensor([-30, -30, 1000, -1000], [1, 2, 1, 2]);
    const values = logOnePlusSumExp(x);
    expect(values.shape).toEqual([1, 2, 1]);
    expectClose(values, [2 * Math.exp(-30), 1000], { relative: 1e-6 });
    expectClose(tf.grad(logOnePlusSumExp)(x), [Math.exp(-30), Math.exp(-30), 1, 0], { relative: 1e-6 });
  });
});

it("maskedLogSumExp sums what the mask keeps, and gives 0 with a gradient of 0 where it keeps nothing", () => {
  tf.tidy(() => {
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const mask = tf.tensor2d([1, 0, 0, 0], [2, 2], "bool");
    expectClose(maskedLogSumExp(x, mask), [1, 0], { relative: 1e-6 });
    expectClose(tf.grad((y) => maskedLogSumExp(y, mask))(x), [1, 0, 0, 0], { relative: 1e-6 });
  });
});
