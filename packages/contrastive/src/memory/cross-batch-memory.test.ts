import "@tensorflow/tfjs-backend-cpu";
import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../shared/register-gradients.js";
import { contrastiveLoss } from "../losses/contrastive-loss.js";
import { CrossBatchMemory } from "./cross-batch-memory.js";

it("keeps the latest rows in order, and frees all", () => {
  const before = tf.memory().numTensors;
  const memory = new CrossBatchMemory({ capacity: 3, dim: 2 });
  expect(() => memory.reference()).toThrow("the memory is empty");
  tf.tidy(() => memory.push(tf.tensor2d([1, 1, 2, 2], [2, 2]), [1, 2]));
  tf.tidy(() => memory.push(tf.tensor2d([3, 3, 4, 4], [2, 2]), [3, 4]));
  expect(memory.size).toBe(3);
  expectClose(memory.negatives(), [2, 2, 3, 3, 4, 4], {});
  expect(memory.reference().labels).toEqual([2, 3, 4]);
  tf.tidy(() => {
    const loss = contrastiveLoss(tf.tensor2d([1, 0], [1, 2]), [3], {
      reference: memory.reference(),
      reduction: "none",
    });
    expect(loss.shape).toEqual([3]);
  });
  memory.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

it("refuses rows of another width, labels that are too few, and a capacity of 0", () => {
  tf.tidy(() => {
    const memory = new CrossBatchMemory({ capacity: 3, dim: 2 });
    expect(() => memory.push(tf.ones([1, 3]))).toThrow("embeddings must be [n, 2], got [1,3]");
    expect(() => memory.push(tf.ones([2, 2]), [1])).toThrow("labels must hold 2 numbers");
    expect(() => new CrossBatchMemory({ capacity: 0, dim: 2 })).toThrow(
      "capacity must be an integer, at least 1, got 0",
    );
  });
});
