import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { expectNoLeaks } from "./expect-no-leaks.js";
import { numericalGradient } from "./numerical-gradient.js";
import { checkGradients } from "./shared/check-gradients.js";
import { expectClose } from "./shared/expect-close.js";
import { normalArray, uniformArray } from "./shared/inputs.js";

/** `x * y` with gradients given by hand, right or wrong. */
const product = (scaleOfSecond: number) =>
  tf.customGrad((...args: unknown[]) => {
    const [x, y, save] = args as [tf.Tensor, tf.Tensor, tf.GradSaveFunc];
    save([x, y]);
    return {
      value: tf.mul(x, y),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => [
        tf.mul(dy, saved[1]!),
        tf.mul(scaleOfSecond, tf.mul(dy, saved[0]!)),
      ],
    };
  }) as (...inputs: tf.Tensor[]) => tf.Tensor;

describe("checkGradients", () => {
  it("passes right gradients, through nonlinear functions, and leaks nothing", async () => {
    const x = tf.tensor2d(uniformArray(1, 6), [2, 3]);
    const y = tf.tensor2d(uniformArray(2, 6), [2, 3]);
    await expectNoLeaks(async () => {
      await checkGradients(product(1), [x, y], { relative: 1e-4, absolute: 1e-5 });
    });
    tf.dispose([x, y]);
  });

  it("names the input whose gradient is wrong by 1 %", async () => {
    const x = tf.tensor1d([1, 2]);
    const y = tf.tensor1d([3, -1]);
    await expectNoLeaks(async () => {
      await expect(checkGradients(product(1.01), [x, y])).rejects.toThrow(
        /gradient of input 1 \(shape \[2\]\): 2 of 2 .* worst at index/,
      );
    });
    tf.dispose([x, y]);
  });

  it("refuses int32 and unknown options", async () => {
    const refused: [unknown, unknown, string][] = [
      [undefined, [], "f must be a function, got undefined"],
      [product(1), undefined, "inputs must be an array of one tensor or more, got undefined"],
      [product(1), [], "inputs must be an array of one tensor or more, got an array of 0"],
      [product(1), [[1, 2]], "input 0 must be a tensor, got an array of 2"],
      [() => 3, [tf.ones([1])], "f must return a tensor, got 3"],
      [async () => tf.ones([1]), [tf.ones([1])], "f must return a tensor, got a Promise"],
    ];
    for (const [f, inputs, message] of refused) {
      await expect(checkGradients(f as never, inputs as never)).rejects.toThrow(`checkGradients: ${message}`);
    }
    await expect(checkGradients(product(1), [tf.ones([1], "int32")])).rejects.toThrow(
      "input 0 must be float32, got int32 [1]",
    );
    await expect(checkGradients(product(1), [tf.ones([1])], { eps: 1 } as never)).rejects.toThrow(
      'unknown option "eps"',
    );
  });
});

describe("numericalGradient", () => {
  it("finds the slope of a cubic and of a function of large arguments", () => {
    const gradient = numericalGradient(
      (v) => v[0]! ** 3 + 2 * v[0]! * v[1]! + Math.log(v[2]!),
      new Float64Array([2, -1, 1e6]),
    );
    expectClose(gradient, [10, 4, 1e-6], { relative: 1e-8 });
  });

  it("leaves the point as it was", () => {
    const x = new Float64Array([1, 2]);
    numericalGradient((v) => v[0]! * v[1]!, x);
    expectClose(x, [1, 2]);
  });
});

describe("expectNoLeaks", () => {
  it("tells a leak and a lost tensor", async () => {
    const kept: tf.Tensor[] = [];
    await expect(expectNoLeaks(async () => kept.push(tf.scalar(1), tf.scalar(2)))).rejects.toThrow(
      /2 leaked/,
    );
    await expect(expectNoLeaks(() => tf.dispose(kept))).rejects.toThrow(/2 of someone else's disposed/);
    await expectNoLeaks(() => tf.scalar(1).dispose());
  });
});

describe("inputs", () => {
  it("have the moments of their distribution and repeat by seed", () => {
    const moments = (values: Float32Array) => {
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      return [mean, values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length];
    };
    expectClose(moments(normalArray(3, 20_000)), [0, 1], { absolute: 0.03 });
    expectClose(moments(uniformArray(3, 20_000)), [0, 1 / 3], { absolute: 0.02 });
    expectClose(moments(uniformArray(3, 20_000, 0, 6)), [3, 3], { absolute: 0.1 });
    expectClose(normalArray(5, 10), normalArray(5, 10));
    expect(() => expectClose(normalArray(5, 10), normalArray(6, 10), { absolute: 1e-3 })).toThrow(/differ/);
  });

  it("refuses what is no function, no list of tensors, and a function that is async", async () => {
    const x = tf.ones([2]);
    const cases: [f: unknown, inputs: unknown, message: string][] = [
      [1, [x], "checkGradients: f must be a function, got 1"],
      [tf.square, x, "checkGradients: inputs must be an array of one tensor or more, got a Tensor"],
      [tf.square, [1], "checkGradients: input 0 must be a tensor, got 1"],
      [async () => x, [x], "checkGradients: f must return a tensor, got a Promise; it must not be async"],
      [() => 3, [x], "checkGradients: f must return a tensor, got 3"],
    ];
    for (const [f, inputs, message] of cases) {
      await expect(checkGradients(f as never, inputs as never)).rejects.toThrow(message);
    }
    x.dispose();
  });
});
