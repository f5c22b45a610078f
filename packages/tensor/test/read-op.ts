import * as tf from "@tensorflow/tfjs-core";
import { expect } from "vitest";

/** Runs an op, reads its result, and checks that no other tensor stays. */
export async function readOp(run: () => tf.Tensor) {
  const before = tf.memory().numTensors;
  const y = tf.tidy(run);
  const values = Array.from(await y.data());
  y.dispose();
  expect(tf.memory().numTensors).toBe(before);
  return { dtype: y.dtype, shape: y.shape, values };
}
