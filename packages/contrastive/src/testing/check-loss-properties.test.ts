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
