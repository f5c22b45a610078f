import { initialize, readSafetensors, type StateDict } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks, normalArray, numericalGradient } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dcrLoss, dcrLossTerms } from "./dcr-loss.js";

let golden: StateDict;
beforeAll(async () => {
  await initialize({ device: "wasm" });
  golden = await readSafetensors(fileURLToPath(new URL("../../fixtures/dcr-loss.safetensors", import.meta.url)));
});
afterAll(() => tf.dispose(golden));

/** The equation as loops, in float64. */
function reference(p: Float64Array, a: Float64Array, g: Float64Array, n: number, dim: number, tau: number): number {
  const row = (x: Float64Array, i: number) => x.subarray(i * dim, (i + 1) * dim);
  const dot = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const s = (x: Float64Array, y: Float64Array) => dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)) / tau;
  let total = 0;
  for (let i = 0; i < n; i++) {
    const anchor = row(p, i * n + i);
    const scores = [s(anchor, row(a, i)), s(anchor, row(g, i))];
    for (let k = 0; k < n; k++) if (k !== i) scores.push(s(anchor, row(p, i * n + k)));
    const highest = Math.max(...scores);
    const lse = highest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - highest), 0));
    total += lse - (scores[0] + scores[1]) / 2;
  }
  return total / n;
}

describe("dcrLoss", () => {
  it.each([0.1, 0.001])("has PyTorch's value and gradients at temperature %f", async (temperature) => {
    const part = (name: string) => golden[`${temperature}.${name}`];
    await expectNoLeaks(() => {
      const { value, grads } = tf.valueAndGrads((p: tf.Tensor, a: tf.Tensor) =>
        dcrLoss(
          { predictions: p as tf.Tensor5D, augmented: a as tf.Tensor4D, target: part("target") as tf.Tensor4D },
          { temperature },
        ),
      )([part("predictions"), part("augmented")]);
      // At the small temperature scores reach hundreds, of which float32 keeps seven digits.
      const scale = 1e-6 / temperature;
      expectClose([value.dataSync()[0]], part("loss").dataSync(), { relative: 1e-5 });
      expectClose(grads[0], part("dPredictions"), { relative: 1e-5, absolute: scale });
      expectClose(grads[1], part("dAugmented"), { relative: 1e-5, absolute: scale });
      tf.dispose([value, grads]);
    });
  });

  it("has the gradient of the equation, by float64 differences", () => {
    const [n, dim, tau] = [3, 6, 0.5];
    const [p, a, g] = [normalArray(1, n * n * dim), normalArray(2, n * dim), normalArray(3, n * dim)];
    const wide = [p, a, g].map((x) => Float64Array.from(x));
    tf.tidy(() => {
      const inputs = {
        augmented: tf.tensor4d(a, [n, 1, 2, 3]),
        target: tf.tensor4d(g, [n, 1, 2, 3]),
      };
      const { value, grad } = tf.valueAndGrad((x) =>
        dcrLoss({ ...inputs, predictions: x as tf.Tensor5D }, { temperature: tau }),
      )(tf.tensor5d(p, [n, n, 1, 2, 3]));
      expectClose([value.dataSync()[0]], [reference(wide[0], wide[1], wide[2], n, dim, tau)], { relative: 1e-6 });
      const numeric = numericalGradient((x) => reference(x, wide[1], wide[2], n, dim, tau), wide[0]);
      expectClose(grad.dataSync(), numeric, { relative: 1e-5, absolute: 1e-6 });
    });
  });

  it("does not change with the order of the batch or the scale of a prediction", () => {
    tf.tidy(() => {
      const part = (name: string) => golden[`0.1.${name}`];
      const [p, a, g] = [part("predictions"), part("augmented"), part("target")] as [tf.Tensor5D, tf.Tensor4D, tf.Tensor4D];
      const order = tf.tensor1d([2, 0, 3, 1], "int32");
      const plain = dcrLoss({ predictions: p, augmented: a, target: g }).dataSync();
      const permuted = dcrLoss({
        predictions: tf.gather(tf.gather(p, order), order, 1),
        augmented: tf.gather(a, order),
        target: tf.gather(g, order),
      });
      expectClose(permuted.dataSync(), plain, { relative: 1e-6 });
      const scaled = dcrLoss({ predictions: tf.mul(p, 7), augmented: tf.mul(a, 0.2), target: tf.mul(g, 3) });
      expectClose(scaled.dataSync(), plain, { relative: 1e-6 });
    });
  });

  it("is the mean of its two halves", () => {
    tf.tidy(() => {
      const inputs = {
        predictions: golden["0.1.predictions"] as tf.Tensor5D,
        augmented: golden["0.1.augmented"] as tf.Tensor4D,
        target: golden["0.1.target"] as tf.Tensor4D,
      };
      const { augmented, target } = dcrLossTerms(inputs);
      expectClose(
        tf.mean(tf.div(tf.add(augmented, target), 2)).dataSync(),
        dcrLoss(inputs).dataSync(),
        { relative: 1e-6 },
      );
    });
  });

  it("refuses a batch of one, other shapes and a temperature of zero", () => {
    tf.tidy(() => {
      const inputs = (n: number, h: number) => ({
        predictions: tf.ones([n, n, 2, 2, 1]) as tf.Tensor5D,
        augmented: tf.ones([n, h, 2, 1]) as tf.Tensor4D,
        target: tf.ones([n, 2, 2, 1]) as tf.Tensor4D,
      });
      expect(() => dcrLoss(inputs(1, 2))).toThrow(/batch of one/);
      expect(() => dcrLoss(inputs(2, 3))).toThrow(/got \[2,2,2,2,1\], \[2,3,2,1\] and \[2,2,2,1\]/);
      expect(() => dcrLoss(inputs(2, 2), { temperature: 0 })).toThrow(/temperature must be positive, got 0/);
    });
  });
});
