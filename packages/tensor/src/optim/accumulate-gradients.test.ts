import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import "../shared/register-gradients.js";
import { Linear } from "../nn/layers.js";
import { Random } from "../random.js";
import { accumulateGradients } from "./accumulate-gradients.js";
import { valueAndGradients } from "./value-and-gradients.js";

beforeAll(() => tf.setBackend("cpu"));

describe("accumulateGradients", () => {
  it.each([
    [1, [12]],
    [3, [4, 4, 4]],
    [4, [5, 1, 2, 4]],
  ])("over %d micro-batches gives the gradient of the whole batch", async (_, sizes) => {
    await expectNoLeaks(() => {
      const layer = new Linear(3, 2).initialize(new Random(1));
      const x = tf.tensor2d(normalArray(2, 36), [12, 3]);
      const loss = (part: tf.Tensor2D) =>
        tf.tidy(() => tf.mean(tf.square(tf.tanh(layer.forward(part)))) as tf.Scalar);
      const whole = valueAndGradients(() => loss(x), layer.parameters());
      let sum: tf.Tensor[] | undefined;
      let begin = 0;
      for (const size of sizes) {
        const part = tf.slice(x, begin, size);
        begin += size;
        const { value, gradients } = valueAndGradients(
          () => tf.tidy(() => tf.mul(loss(part), size / 12)),
          layer.parameters(),
        );
        sum = accumulateGradients(sum, gradients);
        tf.dispose([part, value]);
      }
      for (const [i, gradient] of whole.gradients.entries()) {
        expectClose(sum![i], gradient, { relative: 1e-5, absolute: 1e-7 });
      }
      tf.dispose([x, whole.value, whole.gradients, sum!]);
      layer.dispose();
    });
  });

  it("refuses gradients of other number or shapes, and disposes nothing then", async () => {
    await expectNoLeaks(() => {
      const [sum, other] = [
        [tf.zeros([2]), tf.zeros([3])],
        [tf.zeros([2]), tf.zeros([1])],
      ];
      expect(() => accumulateGradients(sum, other)).toThrow(
        "accumulateGradients: expected gradients of shapes [2], [3], got [2], [1]",
      );
      expect(() => accumulateGradients(sum, [])).toThrow("got none");
      tf.dispose([sum, other]);
    });
  });
});
