import { initialize } from "@dcr-js/tensor";
import { expectCloseNorm, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { dcrLoss } from "../objectives/dcr-loss.js";
import { dcrLossGradients } from "../objectives/dcr-loss-gradients.js";
import {
  backpropagateInChunks,
  type ConditionedPredictions,
  chunkedGradient,
  chunkedLossGradient,
  predictInChunks,
} from "./chunked-gradient.js";

const width = 5;
const hidden = 400;
const item = [2, 2, 1];

beforeAll(() => initialize({ device: "cpu" }));

/** A small denoiser on all pairs of `n` images and conditions, then each image's augmented view; notes its peak memory. */
function setting(n: number) {
  const noisy = tf.tensor2d(normalArray(1, n * width), [n, width]);
  const first = tf.tensor2d(normalArray(2, width * hidden), [width, hidden]);
  const second = tf.tensor2d(normalArray(3, hidden * 4), [hidden, 4]);
  const target = tf.tensor(normalArray(4, n * 4), [n, ...item]);
  const conditions = tf.tensor2d(normalArray(5, 2 * n * width), [2 * n, width]);
  const count = n * n + n;
  const images = Int32Array.from({ length: count }, (_, r) => (r < n * n ? Math.floor(r / n) : r - n * n));
  const conditionOf = Int32Array.from({ length: count }, (_, r) => (r < n * n ? r % n : r - n * n + n));
  const peak = { bytes: 0, tensors: 0 };
  const predict = (rows: Int32Array, e: tf.Tensor) => {
    const x = tf.gather(
      noisy,
      tf.tensor1d(
        rows.map((row) => images[row]),
        "int32",
      ),
    );
    const y = tf.matMul(tf.tanh(tf.matMul(tf.add(x, e) as tf.Tensor2D, first)), second);
    const { numBytes, numTensors } = tf.memory();
    peak.bytes = Math.max(peak.bytes, numBytes);
    peak.tensors = Math.max(peak.tensors, numTensors);
    return tf.reshape(y, [rows.length, ...item]);
  };
  const split = (all: tf.Tensor) => ({
    predictions: tf.reshape(tf.slice(all, 0, n * n), [n, n, ...item]),
    augmented: tf.slice(all, n * n, n),
    target,
  });
  const lossGradients = (all: tf.Tensor) => {
    const { value, predictions, augmented } = dcrLossGradients(split(all));
    return { value, gradient: tf.concat([tf.reshape(predictions, [n * n, ...item]), augmented!]) };
  };
  const plain = () => {
    const rows = Int32Array.from({ length: count }, (_, r) => r);
    const index = tf.tensor1d(conditionOf, "int32");
    const result = tf.valueAndGrad((e) => dcrLoss(split(predict(rows, tf.gather(e, index)))))(conditions);
    index.dispose();
    return result;
  };
  const dispose = () => tf.dispose([noisy, first, second, target, conditions]);
  return { conditions, conditionOf, predict, lossGradients, plain, peak, count, dispose };
}

describe("chunkedGradient", () => {
  it.each([0, 1, 3, 7, 12, 100])("equals the plain path, %i predictions at a time", (chunk) => {
    const before = tf.memory().numTensors;
    const { plain, lossGradients, dispose, ...given } = setting(3);
    const { value, conditionGradient } = chunkedGradient({ ...given, chunk }, lossGradients);
    const expected = plain();
    expectCloseNorm(value, expected.value, { relative: 1e-6 });
    expectCloseNorm(conditionGradient, expected.grad, { relative: 1e-5 });
    tf.dispose([value, conditionGradient, expected.value, expected.grad]);
    dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("holds as many graphs for a large batch as for a small one", () => {
    const graph = 4 * hidden;
    const peaks = [3, 8].map((n) => {
      const { plain, lossGradients, peak, dispose, ...given } = setting(n);
      const start = tf.memory();
      const measure = (run: () => tf.TensorContainer) => {
        Object.assign(peak, { bytes: 0, tensors: 0 });
        tf.dispose(run());
        return { bytes: peak.bytes - start.numBytes, tensors: peak.tensors - start.numTensors };
      };
      const chunked = measure(() => Object.values(chunkedGradient({ ...given, chunk: 4 }, lossGradients)));
      const whole = measure(() => Object.values(plain()));
      dispose();
      return { chunked, whole, count: given.count };
    });
    const [small, large] = peaks;
    const more = large.count - small.count;
    // The plain path keeps the hidden layer of every prediction, before and after its activation.
    expect(large.whole.bytes - small.whole.bytes).toBeGreaterThanOrEqual(2 * graph * more);
    // In chunks only predictions, their gradient and the conditions' gradients by row grow, and no hidden layer.
    const outputs = 4 * (4 + 4 + width);
    expect(large.chunked.bytes - small.chunked.bytes).toBeLessThanOrEqual(outputs * more);
    expect(large.chunked.bytes).toBeLessThan(large.whole.bytes / 5);
  });

  it("backpropagates a few rows as it would with zero gradients elsewhere", () => {
    const before = tf.memory().numTensors;
    const { plain, lossGradients, dispose, count, ...rest } = setting(3);
    const given: ConditionedPredictions = { ...rest, chunk: 2 };
    const rows = Int32Array.from([11, 0, 4]);
    const some = normalArray(9, 3 * 4);
    const all = new Float32Array(count * 4);
    for (const [i, row] of rows.entries()) all.set(some.subarray(i * 4, i * 4 + 4), row * 4);
    const [dSome, dAll] = [tf.tensor(some, [3, ...item]), tf.tensor(all, [count, ...item])];
    const [few, full] = [backpropagateInChunks(given, dSome, rows), backpropagateInChunks(given, dAll)];
    expectCloseNorm(few, full, { relative: 1e-6 });
    tf.dispose([dSome, dAll, few, full]);
    dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("refuses impossible chunks and gradients that do not match", () => {
    const { plain, lossGradients, dispose, ...given } = setting(2);
    for (const chunk of [-1, 1.5, Number.NaN]) {
      expect(() => predictInChunks({ ...given, chunk })).toThrow(/chunk must be an integer, at least 0, got/);
    }
    expect(() => tf.tidy(() => backpropagateInChunks({ ...given, chunk: 2 }, tf.ones([3, ...item])))).toThrow(
      /a row for each of 6 predictions, got \[3,2,2,1\]/,
    );
    expect(() => predictInChunks({ ...given, conditionOf: new Int32Array(0), chunk: 2 })).toThrow(/got none/);
    for (const outside of [-1, 4]) {
      const conditionOf = Int32Array.from(given.conditionOf, (row, r) => (r === 3 ? outside : row));
      const wrong = { ...given, conditionOf, chunk: 2 };
      const message = `conditionOf must name rows of conditions in 0..3, got ${outside}`;
      expect(() => predictInChunks(wrong)).toThrow(`predictInChunks: ${message}`);
      expect(() => chunkedGradient(wrong, lossGradients)).toThrow(`chunkedGradient: ${message}`);
      expect(() => chunkedLossGradient(wrong, (x) => tf.sum(x))).toThrow(`chunkedLossGradient: ${message}`);
    }
    for (const row of [-1, 6]) {
      const rows = Int32Array.of(0, row);
      const message = `rows must be of predictions in 0..5, got ${row}`;
      expect(() => predictInChunks({ ...given, chunk: 2 }, rows)).toThrow(`predictInChunks: ${message}`);
      expect(() =>
        tf.tidy(() => backpropagateInChunks({ ...given, chunk: 2 }, tf.ones([2, ...item]), rows)),
      ).toThrow(`backpropagateInChunks: ${message}`);
    }
    dispose();
  });
});
