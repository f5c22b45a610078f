import { fileURLToPath } from "node:url";
import { initialize, readSafetensors, type StateDict } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, normalArray, numericalGradient } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DCRPositive, DCRPredictions } from "./dcr-inputs.js";
import { dcrLoss } from "./dcr-loss.js";
import { type DCRGradientOptions, type DCRGradients, dcrLossGradients } from "./dcr-loss-gradients.js";

const tensorsOf = ({ value, predictions, augmented, similarities }: DCRGradients): tf.Tensor[] => [
  value,
  predictions,
  ...(augmented ? [augmented] : []),
  ...Object.values(similarities),
];

const n = 3;
const item = [2, 2, 3];
const size = 12;
let golden: StateDict;
let inputs: Record<"predictions" | "augmented" | "target", tf.Tensor>;
let before: number;

beforeAll(async () => {
  await initialize({ device: "wasm" });
  golden = await readSafetensors(
    fileURLToPath(new URL("../../fixtures/dcr-loss/golden.safetensors", import.meta.url)),
  );
});
afterAll(() => tf.dispose(golden));
beforeEach(() => {
  before = tf.memory().numTensors;
  inputs = {
    predictions: tf.tensor(normalArray(1, n * n * size), [n, n, ...item]),
    augmented: tf.tensor(normalArray(2, n * size), [n, ...item]),
    target: tf.tensor(normalArray(3, n * size), [n, ...item]),
  };
});
afterEach(() => {
  tf.dispose(Object.values(inputs));
  expect(tf.memory().numTensors).toBe(before);
});

/** The loss as the paper writes it, in float64: a loop over anchors, positives and candidates. */
function naive(
  predictions: ArrayLike<number>,
  augmented: ArrayLike<number>,
  target: ArrayLike<number>,
  temperature: number,
  positives: readonly DCRPositive[] = ["augmented", "target"],
): number {
  const at = (x: ArrayLike<number>, row: number) => Array.from({ length: size }, (_, d) => x[row * size + d]);
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, d) => sum + value * b[d], 0);
  const s = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const anchor = at(predictions, i * n + i);
    const own = positives.map((positive) => at(positive === "augmented" ? augmented : target, i));
    const candidates = [...own];
    for (let k = 0; k < n; k++) if (k !== i) candidates.push(at(predictions, i * n + k));
    const total = candidates.reduce((z, c) => z + Math.exp(s(anchor, c) / temperature), 0);
    for (const p of own) sum -= Math.log(Math.exp(s(anchor, p) / temperature) / total) / own.length;
  }
  return sum / n;
}

/** The loss towards the augmented view only, by log1p of sums of exp of differences: exact in float64 where it is tiny. */
function naiveSmall(
  predictions: ArrayLike<number>,
  augmented: ArrayLike<number>,
  temperature: number,
): number {
  const at = (x: ArrayLike<number>, row: number) => Array.from({ length: size }, (_, d) => x[row * size + d]);
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, d) => sum + value * b[d], 0);
  const s = (a: number[], b: number[]) => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const anchor = at(predictions, i * n + i);
    const own = s(anchor, at(augmented, i));
    let rivals = 0;
    for (let k = 0; k < n; k++) {
      if (k !== i) rivals += Math.exp((s(anchor, at(predictions, i * n + k)) - own) / temperature);
    }
    sum += Math.log1p(rivals);
  }
  return sum / n;
}

describe("dcrLossGradients", () => {
  it.each(["apart", "close"])("gives PyTorch's losses and gradients for predictions that are %s", (name) => {
    const [p, a, target] = ["predictions", "augmented", "target"].map((key) => golden[`${name}.${key}`]!);
    for (const temperature of [0.1, 0.001]) {
      const key = `${name}.${temperature}`;
      const relative = 1e-5;
      const closed = dcrLossGradients({ predictions: p, augmented: a, target }, { temperature });
      expectCloseNorm(closed.value, golden[`${key}.value`]!, { relative });
      expectCloseNorm(closed.predictions, golden[`${key}.gradient.predictions`]!, { relative });
      expectCloseNorm(closed.augmented!, golden[`${key}.gradient.augmented`]!, { relative });
      tf.dispose(tensorsOf(closed));
    }
  });

  it("equals the paper's sum written as loops, and its finite differences in float64", () => {
    const [p, a, g] = [inputs.predictions, inputs.augmented, inputs.target].map((x) =>
      Float64Array.from(x.dataSync()),
    );
    for (const positives of [["augmented", "target"], ["augmented"], ["target"]] as DCRPositive[][]) {
      const closed = dcrLossGradients(inputs, { temperature: 0.2, positives });
      expectClose(closed.value, [naive(p, a, g, 0.2, positives)], { relative: 1e-6 });
      const dP = numericalGradient((x) => naive(x, a, g, 0.2, positives), p);
      expectCloseNorm(closed.predictions.dataSync(), dP, { relative: 1e-6 });
      if (positives.includes("augmented")) {
        const dA = numericalGradient((x) => naive(p, x, g, 0.2, positives), a);
        expectCloseNorm(closed.augmented!.dataSync(), dA, { relative: 1e-6 });
      } else expect(closed.augmented).toBeUndefined();
      tf.dispose(tensorsOf(closed));
    }
  });

  it("has closed-form gradients equal to the tape's, for each positive and their mean", () => {
    const closed = dcrLossGradients(inputs);
    const tape = tf.grads((predictions: tf.Tensor, augmented: tf.Tensor) =>
      dcrLoss({ predictions, augmented, target: inputs.target }),
    )([inputs.predictions, inputs.augmented]);
    expectCloseNorm(closed.predictions, tape[0], { relative: 1e-6 });
    expectCloseNorm(closed.augmented!, tape[1], { relative: 1e-6 });
    const sum = dcrLossGradients(inputs, { reduction: "sum" });
    expectCloseNorm(
      sum.predictions.dataSync().map((x) => x / n),
      tape[0].dataSync(),
      { relative: 1e-6 },
    );
    tf.dispose([...tensorsOf(closed), ...tape, ...tensorsOf(sum)]);
    for (const positive of ["augmented", "target"] as const) {
      const one = dcrLossGradients(inputs, { towards: [positive] });
      const { value, grads } = tf.valueAndGrads((predictions: tf.Tensor, augmented: tf.Tensor) => {
        return dcrLoss({ predictions, augmented, target: inputs.target }, { towards: [positive] });
      })([inputs.predictions, inputs.augmented]);
      expectCloseNorm(one.value, value, { relative: 1e-6 });
      expectCloseNorm(one.predictions, grads[0], { relative: 1e-6 });
      expectCloseNorm(one.augmented!, grads[1], { relative: 1e-6 });
      tf.dispose([...tensorsOf(one), value, ...grads]);
    }
  });

  it("has the tape's gradients for predictions that are tiny, and none for one that is zero", () => {
    const mask = new Array(n * n).fill(1);
    mask[1] = 0;
    mask[n] = 1e-20;
    const predictions = tf.tidy(() => tf.mul(inputs.predictions, tf.tensor(mask, [n, n, 1, 1, 1])));
    const closed = dcrLossGradients({ ...inputs, predictions });
    const [tape] = tf.grads((p: tf.Tensor) => dcrLoss({ ...inputs, predictions: p }))([predictions]);
    // The tiny one's gradient is 1e20 times as long: each prediction is compared by itself.
    for (let at = 0; at < n * n; at++) {
      const of = (x: tf.Tensor) => x.dataSync().slice(at * size, (at + 1) * size);
      expectCloseNorm(of(closed.predictions), of(tape), { relative: 1e-5 });
    }
    expectClose(closed.predictions.dataSync().slice(size, 2 * size), new Array(size).fill(0));
    tf.dispose([predictions, tape, ...tensorsOf(closed)]);
  });

  it("gives a prediction of zeros similarity 0, as PyTorch's cosine_similarity does", async () => {
    // A negative of anchor 0, anchor 1 (the zero of its row, to which all are alike), a view and a target; anchor 2 against two zeros.
    const zero = (x: tf.Tensor, rows: number[]) =>
      tf.tidy(() => {
        const values = x.dataSync().slice();
        for (const row of rows) values.fill(0, row * size, (row + 1) * size);
        return tf.tensor(values, x.shape);
      });
    const predictions = zero(inputs.predictions, [1, n + 1]);
    const [augmented, target] = [zero(inputs.augmented, [0, 1]), zero(inputs.target, [1, 2])];
    const given = { predictions, augmented, target };
    const [p, a, g] = [predictions, augmented, target].map((x) => x.dataSync());
    const cosine = (x: ArrayLike<number>, i: number, y: ArrayLike<number>, j: number) => {
      let [xy, xx, yy] = [0, 0, 0];
      for (let d = 0; d < size; d++) {
        const [u, v] = [x[i * size + d], y[j * size + d]];
        [xy, xx, yy] = [xy + u * v, xx + u * u, yy + v * v];
      }
      return xx * yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
    };
    const rows = [0, 1, 2].map((i) => {
      const anchor = i * n + i;
      const negatives = [0, 1, 2].filter((k) => k !== i).map((k) => cosine(p, anchor, p, i * n + k));
      return { negatives, positives: [cosine(p, anchor, a, i), cosine(p, anchor, g, i)] };
    });
    const expected = rows.map(({ negatives, positives }) => {
      const sum = [...negatives, ...positives].reduce((total, s) => total + Math.exp(s / 0.5), 0);
      return Math.log(sum) - (positives[0] + positives[1]) / 2 / 0.5;
    });
    const options = { temperature: 0.5 };
    const closed = dcrLossGradients(given, options);
    expectClose(closed.value, [expected.reduce((sum, x) => sum + x, 0) / 3], { relative: 1e-6 });
    const off = [1, 2, 3, 5, 6, 7].map((at) => closed.similarities.predictions.dataSync()[at]);
    expectClose(
      off,
      rows.flatMap(({ negatives }) => negatives),
      { absolute: 1e-6 },
    );
    for (const [i, key] of (["augmented", "target"] as const).entries()) {
      expectClose(
        closed.similarities[key]!,
        rows.map(({ positives }) => positives[i]),
        { absolute: 1e-6 },
      );
    }
    const tape = tf.grads((x: tf.Tensor, y: tf.Tensor) =>
      dcrLoss({ predictions: x, augmented: y, target }, options),
    )([predictions, augmented]);
    expectCloseNorm(closed.predictions, tape[0], { relative: 1e-6 });
    expectCloseNorm(closed.augmented!, tape[1], { relative: 1e-6 });
    tf.dispose([...Object.values(given), ...tensorsOf(closed), ...tape]);
  });

  it("refuses temperatures that float32 or a scalar cannot hold", () => {
    const row = tf.tensor1d([0.1, 0.2, 0.3]);
    const one = tf.scalar(1, "int32");
    for (const temperature of [row, one] as never[]) {
      expect(() => dcrLossGradients(inputs, { temperature })).toThrow(
        "dcrLossGradients: temperature must be",
      );
    }
    expect(() => dcrLossGradients(inputs, { temperature: 1e-46 })).toThrow("temperature must be a float32");
    tf.dispose([row, one]);
  });

  it("does not change when predictions are scaled, and permutes with the batch", () => {
    // The loss of each anchor by itself.
    const values = ({ predictions, augmented, target }: typeof inputs) =>
      Array.from({ length: n }, (_, i) => {
        const [p, a, g] = [predictions, augmented, target].map((x) => tf.slice(x, i, 1));
        const one = dcrLossGradients({ predictions: p, augmented: a, target: g, anchors: [i] });
        const [value] = one.value.dataSync();
        tf.dispose([p, a, g, ...tensorsOf(one)]);
        return value;
      });
    const plain = values(inputs);
    for (const scale of [1e-10, 1e10]) {
      const scaled = tf.mul(inputs.predictions, scale);
      expectClose(values({ ...inputs, predictions: scaled }), plain, { relative: 1e-5 });
      scaled.dispose();
    }
    const order = [2, 0, 1];
    const permuted = tf.tidy(() => {
      const index = tf.tensor1d(order, "int32");
      return {
        predictions: tf.gather(tf.gather(inputs.predictions, index), index, 1),
        augmented: tf.gather(inputs.augmented, index),
        target: tf.gather(inputs.target, index),
      };
    });
    expectClose(
      values(permuted),
      order.map((i) => plain[i]),
      { relative: 1e-6 },
    );
    tf.dispose(permuted);
  });

  it("stays finite for a tiny temperature and for equal predictions", () => {
    const equal = tf.ones([n, n, ...item]);
    for (const predictions of [inputs.predictions, equal]) {
      const all = tensorsOf(dcrLossGradients({ ...inputs, predictions }, { temperature: 1e-5 }));
      for (const x of all) expect(x.dataSync().every(Number.isFinite)).toBe(true);
      tf.dispose(all);
    }
    // All candidates alike: log of their number.
    const same = tf.ones([n, ...item]);
    const given = { predictions: equal, augmented: same, target: same };
    const closed = dcrLossGradients(given, { temperature: 1e-3 });
    expectClose(closed.value, [Math.log(n + 1)], { absolute: 1e-3 });
    tf.dispose([equal, same, ...tensorsOf(closed)]);
  });

  it("keeps the digits of losses and gradients far below float32's resolution of a score", () => {
    // The positive is nearly the anchor and the negatives are not: a loss of about exp(-0.3 / tau).
    const anchors = normalArray(7, n * size);
    const near = normalArray(8, n * size).map((x, i) => anchors[i] + 1e-2 * x);
    const far = normalArray(9, n * n * size).map((x, at) => {
      const [i, k] = [Math.floor(at / (n * size)), Math.floor(at / size) % n];
      return anchors[i * size + (at % size)] + (i === k ? 0 : 1.6 * x);
    });
    const given = { predictions: tf.tensor(far, [n, n, ...item]), augmented: tf.tensor(near, [n, ...item]) };
    const positives = ["augmented"] as const;
    const [p, a] = [far, near].map((x) => Float64Array.from(x));
    for (const temperature of [0.1, 0.02, 0.005]) {
      const reference = (predictions: ArrayLike<number>, views: ArrayLike<number>) =>
        naiveSmall(predictions, views, temperature);
      const value = reference(p, a);
      if (temperature === 0.005) expect(value).toBeLessThan(1e-8);
      const closed = dcrLossGradients(given, { temperature, positives });
      expectClose(closed.value, [value], { relative: 1e-5 });
      const step = 1e-6;
      expectCloseNorm(
        closed.predictions.dataSync(),
        numericalGradient((x) => reference(x, a), p, step),
        {
          relative: 1e-4,
        },
      );
      expectCloseNorm(
        closed.augmented!.dataSync(),
        numericalGradient((x) => reference(p, x), a, step),
        {
          relative: 1e-4,
        },
      );
      tf.dispose(tensorsOf(closed));
    }
    tf.dispose(Object.values(given));
  });

  it("takes rows of a batch, with the columns of their anchors", () => {
    const whole = dcrLossGradients(inputs, { reduction: "sum" });
    const parts = [[0], [1, 2]].map((anchors) => {
      const rows = (x: tf.Tensor) => tf.slice(x, anchors[0], anchors.length);
      const part = {
        predictions: rows(inputs.predictions),
        augmented: rows(inputs.augmented),
        target: rows(inputs.target),
      };
      const result = dcrLossGradients({ ...part, anchors }, { reduction: "sum" });
      tf.dispose(Object.values(part));
      return result;
    });
    const value = parts.reduce((sum, part) => sum + part.value.dataSync()[0], 0);
    expectClose([value], whole.value.dataSync(), { relative: 1e-6 });
    const together = parts.flatMap((part) => [...part.predictions.dataSync()]);
    expectCloseNorm(together, whole.predictions.dataSync(), { relative: 1e-6 });
    tf.dispose([...tensorsOf(whole), ...parts.flatMap(tensorsOf)]);
  });

  it("refuses a batch of one, shapes that differ, missing positives and a temperature of 0", () => {
    const { predictions, augmented, target } = inputs;
    const single = tf.ones([1, 1, ...item]);
    const wide = tf.ones([n, 2, 2, 4]);
    const refused = (given: DCRPredictions, options: DCRGradientOptions, message: RegExp) =>
      expect(() => dcrLossGradients(given, options)).toThrow(message);
    refused({ ...inputs, predictions: single }, {}, /batch of one has no negatives/);
    refused(
      { ...inputs, predictions: augmented },
      {},
      /predictions must be \[N, N, \.\.\.\], got \[3,2,2,3\]/,
    );
    refused({ ...inputs, target: wide }, {}, /target must be \[3,2,2,3\] .*got \[3,2,2,4\]/);
    refused({ predictions, target }, {}, /augmented must be \[3,2,2,3\] .*got nothing/);
    refused(inputs, { temperature: 0 }, /temperature must be a finite number, greater than 0, got 0/);
    refused(
      inputs,
      { temperature: Number.NaN },
      /temperature must be a finite number, greater than 0, got NaN/,
    );
    refused(inputs, { positives: [] }, /positives must be a list of one or more of augmented, target/);
    expect(() => dcrLossGradients(inputs, { positives: ["target"], towards: ["augmented"] })).toThrow(
      /towards must be a list of one or more of target, each once, got \[augmented\]/,
    );
    const whole = tf.cast(predictions, "int32");
    refused({ ...inputs, predictions: whole }, {}, /predictions must be float32, got int32/);
    refused(inputs, { tau: 0.1 } as never, /unknown option "tau"/);
    refused(
      { ...inputs, anchors: [0, 1] },
      {},
      /anchors must be 3 columns in 0..2, one for each row, got \[0,1\]/,
    );
    refused({ ...inputs, anchors: [0, 1, 3] }, {}, /anchors must be 3 columns in 0..2/);
    const one = dcrLossGradients({ predictions, target }, { positives: ["target"] });
    tf.dispose([single, wide, whole, ...tensorsOf(one)]);
  });
});
