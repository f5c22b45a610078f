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

  it("refuses what is no list of tensors that live", () => {
    const [x, gone] = [tf.zeros([2]), tf.zeros([2])];
    gone.dispose();
    const before = tf.memory().numTensors;
    const cases: [sum: unknown, gradients: unknown, message: string][] = [
      [undefined, x, "gradients must be an array of tensors, got a Tensor"],
      [undefined, undefined, "gradients must be an array of tensors, got undefined"],
      [undefined, [x, 1], "gradients[1] must be a tensor, got 1"],
      [[gone], [x], "sum[0] [2] is disposed"],
      [null, [x], "sum must be an array of tensors, got null"],
    ];
    for (const [sum, gradients, message] of cases) {
      expect(() => accumulateGradients(sum as tf.Tensor[], gradients as tf.Tensor[])).toThrow(
        `accumulateGradients: ${message}`,
      );
    }
    expect(tf.memory().numTensors).toBe(before);
    x.dispose();
  });
});

describe("valueAndGradients", () => {
  it("refuses what is no loss and what are no parameters", async () => {
    await expectNoLeaks(() => {
      const layer = new Linear(3, 2).initialize(new Random(1));
      const parameters = layer.parameters();
      const zero = () => tf.tidy(() => tf.sum(layer.weight.value) as tf.Scalar);
      const cases: [loss: unknown, parameters: unknown, message: string][] = [
        [5, parameters, "loss must be a function, got 5"],
        [async () => zero(), parameters, "loss must not be async"],
        [() => 1, parameters, "loss must return a scalar tensor, got 1"],
        [() => undefined, parameters, "loss must return a scalar tensor, got undefined"],
        [() => layer.weight.value, parameters, "loss must return a scalar, got [2,3]"],
        [zero, layer, "parameters must be an array of Parameters, got a Linear"],
        [zero, [layer.weight.value], "parameters[0] must be a Parameter, got a Variable"],
        [zero, [], "parameters must not be empty"],
      ];
      for (const [loss, list, message] of cases) {
        expect(() => tf.tidy(() => valueAndGradients(loss as never, list as never))).toThrow(
          `valueAndGradients: ${message}`,
        );
      }
      layer.dispose();
    });
  });
});
