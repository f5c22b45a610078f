import { AdamW, initialize, Linear, Random } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, it } from "vitest";
import { upgrad } from "../aggregators/upgrad.js";
import { backward } from "./backward.js";
import { minimize } from "./minimize.js";

beforeAll(() => initialize({ device: "cpu" }));

const quadratics = (v: tf.Tensor) => ({
  low: () => tf.tidy(() => tf.sum(tf.squaredDifference(v, [1, 0]))) as tf.Scalar,
  high: () => tf.tidy(() => tf.sum(tf.squaredDifference(v, [0, 3]))) as tf.Scalar,
});

it("steps a tf.Optimizer by hand's numbers, and leaks nothing", async () => {
  const v = tf.variable(tf.tensor1d([2, 2]), true);
  const optimizer = tf.train.sgd(0.1);
  await expectNoLeaks(async () => {
    const measures = await minimize(optimizer, quadratics(v), { variables: [v] });
    // The gradients are (2, 4) and (4, -2).
    expect(measures.values).toEqual({ low: 5, high: 5 });
    expect(measures.conflict.pairs[0].cosine).toBe(0);
    expect("gradients" in measures).toBe(false);
    expectClose(v, [2 - 0.6, 2 - 0.2], { relative: 1e-6 });
  });
  optimizer.dispose();
  v.dispose();
});

it("steps AdamW as the gradient of backward does, parameters in their order", async () => {
  const layers = [1, 1].map((seed) => new Linear(3, 2).initialize(new Random(seed)));
  const optimizers = layers.map((layer) => new AdamW(layer.parameters(), { learningRate: 0.1 }));
  const x = new Random(2).normal([4, 3]);
  const losses = {
    up: (f: tf.Tensor) => tf.tidy(() => tf.mean(tf.square(tf.sub(f, 1)))) as tf.Scalar,
    down: (f: tf.Tensor) => tf.tidy(() => tf.mean(tf.abs(tf.add(f, 1)))) as tf.Scalar,
  };
  const options = (layer: Linear) => ({
    trunk: () => layer.forward(x),
    variables: Object.fromEntries(layer.namedParameters()),
    aggregator: upgrad(),
  });
  await expectNoLeaks(async () => {
    for (let step = 0; step < 3; step++) {
      await minimize(optimizers[0], losses, { ...options(layers[0]), step });
      const { gradients } = await backward(losses, { ...options(layers[1]), step });
      optimizers[1].step(Object.values(gradients));
      tf.dispose(gradients);
    }
  });
  for (const [i, { value }] of layers[0].parameters().entries()) {
    expect(value.dataSync()).toEqual(layers[1].parameters()[i].value.dataSync());
  }
  tf.dispose(x);
  for (const part of [...layers, ...optimizers]) part.dispose();
});

it("gives heads after variables, whatever their names sort like", async () => {
  const [w, head] = [tf.variable(tf.scalar(2), true), tf.variable(tf.scalar(5), true)];
  const seen: number[][] = [];
  await minimize(
    { step: (gradients) => seen.push(gradients.map((g) => g.dataSync()[0])) },
    { a: () => tf.mul(w, head) as tf.Scalar },
    { variables: { w }, heads: { 0: head } },
  );
  expect(seen).toEqual([[5, 2]]);
  tf.dispose([w, head]);
});

it("changes no weight when a loss is not finite, or the optimizer cannot step", async () => {
  const v = tf.variable(tf.tensor1d([2, 2]), true);
  const optimizer = tf.train.adam(0.1);
  const losses = { ...quadratics(v), broken: () => tf.tidy(() => tf.sum(tf.log(tf.sub(v, 3)))) as tf.Scalar };
  await expectNoLeaks(async () => {
    await expect(minimize(optimizer, losses, { variables: [v] })).rejects.toThrow(/loss "broken"/);
    await expect(minimize({} as never, quadratics(v), { variables: [v] })).rejects.toThrow(
      "optimizer must be a tf.Optimizer or have a method step(gradients), got a Object",
    );
  });
  await expect(minimize("adam" as never, quadratics(v), { variables: [v] })).rejects.toThrow(
    'optimizer must be a tf.Optimizer or have a method step(gradients), got "adam"',
  );
  const x = tf.tensor1d([1, 2]);
  await expect(minimize(optimizer, quadratics(x), { variables: { x } })).rejects.toThrow(
    'minimize: "x" must be a tf.Variable for a tf.Optimizer, got a tensor',
  );
  const frozen = tf.variable(tf.tensor1d([2, 2]), false, "frozen");
  await expect(minimize(optimizer, quadratics(frozen), { variables: { frozen } })).rejects.toThrow(
    'minimize: "frozen" is not trainable',
  );
  frozen.dispose();
  expect([...v.dataSync()]).toEqual([2, 2]);
  tf.dispose([x, v]);
  optimizer.dispose();
});

it("descends to where no loss can fall further without another's rise", async () => {
  const v = tf.variable(tf.tensor1d([4, -3]), true);
  const optimizer = tf.train.sgd(0.2);
  for (let step = 0; step < 100; step++) {
    await minimize(optimizer, quadratics(v), { variables: { v }, aggregator: upgrad(), step });
  }
  // The Pareto set is the segment from (1, 0) to (0, 3).
  const [x, y] = v.dataSync();
  expectClose([3 * x + y], [3], { absolute: 1e-2 });
  expect(x).toBeGreaterThan(0);
  expect(x).toBeLessThan(1);
  v.dispose();
  optimizer.dispose();
});
