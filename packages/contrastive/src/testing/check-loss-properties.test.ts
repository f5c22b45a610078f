import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, expect, it } from "vitest";
import "../shared/register-gradients.js";
import { checkLossProperties } from "./check-loss-properties.js";

const x = tf.tensor2d(normalArray(1, 20), [5, 4]);
afterAll(() => x.dispose());

it.each([
  [
    "a loss that is not finite",
    (y: tf.Tensor) => tf.log(tf.neg(tf.sum(tf.square(y)))),
    /the loss is not finite: NaN/,
  ],
  [
    "a loss that leaks",
    (y: tf.Tensor) => tf.sum(tf.keep(tf.square(y))),
    /the loss leaves \d+ tensors behind/,
  ],
  [
    "a loss of lengths",
    (y: tf.Tensor) => tf.mean(tf.square(y)),
    /embeddings times 0.000001: the loss changes/,
  ],
  [
    "a loss of the first row",
    (y: tf.Tensor) => tf.relu(tf.tanh(tf.mul(tf.sum(tf.slice(y, 0, 1)), 1e9))),
    /rows in another order/,
  ],
  [
    "a loss that hides NaN",
    (y: tf.Tensor) => {
      const squares = tf.square(tf.div(y, tf.max(tf.abs(y))));
      return tf.sum(tf.where(tf.greaterEqual(squares, 0), squares, tf.zerosLike(squares)));
    },
    /NaN in input 0: the loss hides it/,
  ],
  [
    "a gradient of NaN at zero",
    (y: tf.Tensor) => tf.sum(tf.div(y, tf.sqrt(tf.sum(tf.square(y), 1, true)))),
    /zero rows: the (loss|gradient).* is not finite/,
  ],
])("finds %s", async (_, loss, message) => {
  await expect(checkLossProperties(([y]) => loss(y), { inputs: [x], scaleInvariant: true })).rejects.toThrow(
    message,
  );
});

it("takes each row for a class of its own where it is given no labels", async () => {
  const seen = new Set<string>();
  const loss = (y: tf.Tensor, labels: number[]) => {
    seen.add([...labels].sort().join());
    return tf.mean(tf.square(y));
  };
  await checkLossProperties(([y], labels) => loss(y, labels), { inputs: [x] });
  expect([...seen]).toEqual(["0,1,2,3,4"]);
});

it("finds a loss that depends on the order, whatever the number of rows", async () => {
  for (let n = 2; n <= 12; n++) {
    const rows = tf.tensor2d(normalArray(n, 2 * n), [n, 2]);
    const places = tf.tensor2d(
      Array.from({ length: 2 * n }, (_, i) => i >> 1),
      [n, 2],
    );
    const weighted = ([y]: tf.Tensor2D[]) => tf.sum(tf.mul(y, places));
    // The same for rotated rows, but not for swapped ones.
    const ring = ([y]: tf.Tensor2D[]) => {
      return tf.sum(tf.square(tf.sub(y, tf.concat([tf.slice(y, 1), tf.slice(y, 0, 1)]))));
    };
    for (const loss of n < 4 ? [weighted] : [weighted, ring]) {
      await expect(checkLossProperties(loss, { inputs: [rows] })).rejects.toThrow("rows in another order");
    }
    tf.dispose([rows, places]);
  }
});

it("names the argument that is wrong", async () => {
  const fine = ([y]: tf.Tensor2D[]) => tf.sum(tf.square(y));
  const calls: [() => Promise<void>, string][] = [
    [() => checkLossProperties(fine, {} as never), "inputs must be an array of one tensor [n, dim] or more"],
    [() => checkLossProperties(fine, { inputs: [3 as never] }), "inputs[0] must be a tensor [n, dim], got 3"],
    [() => checkLossProperties(3 as never, { inputs: [x] }), "loss must be a function, got 3"],
    [() => checkLossProperties((() => 3) as never, { inputs: [x] }), "loss must return a tensor, got 3"],
    [
      () => checkLossProperties((async () => 3) as never, { inputs: [x] }),
      "loss must return a tensor, got a Promise",
    ],
    [() => checkLossProperties(fine, { inputs: [x], labels: [1] }), "labels must hold 5 numbers"],
  ];
  for (const [call, message] of calls)
    await expect(call()).rejects.toThrow(`checkLossProperties: ${message}`);
  const other = tf.ones([4, 4]) as tf.Tensor2D;
  await expect(checkLossProperties(fine, { inputs: [x, other] })).rejects.toThrow(
    "checkLossProperties: inputs must have one number of rows, got 5, 4",
  );
  other.dispose();
});
