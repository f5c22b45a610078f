import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
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

it("keeps integers as float32, and leaves no tensor behind", () =>
  expectNoLeaks(() => {
    const memory = new CrossBatchMemory({ capacity: 3, dim: 2 });
    const rows = tf.tensor2d([1, 2, 3, 4], [2, 2], "int32");
    for (let i = 0; i < 3; i++) memory.push(rows, [1, 2]);
    expect(() => memory.push(rows, [1])).toThrow("labels must hold 2 numbers");
    expectClose(memory.negatives(), [3, 4, 1, 2, 3, 4], {});
    expect(memory.reference().labels).toEqual([2, 1, 2]);
    memory.dispose();
    rows.dispose();
  }));

it("refuses rows with labels beside rows without, which would be positives of label 0", () => {
  tf.tidy(() => {
    const [queue, memory] = [1, 2].map(() => new CrossBatchMemory({ capacity: 3, dim: 2 }));
    queue.push(tf.ones([2, 2]));
    expect(queue.size).toBe(2);
    expect(() => queue.reference()).toThrow("reference: its rows were pushed without labels");
    expectClose(queue.negatives(), [1, 1, 1, 1], {});
    expect(() => queue.push(tf.ones([1, 2]), [1])).toThrow(
      "push: labels must be given at each push or at none, got some after none",
    );
    memory.push(tf.ones([2, 2]), [1, 2]);
    expect(() => memory.push(tf.ones([1, 2]))).toThrow("at each push or at none, got none after some");
    expect(memory.reference().labels).toEqual([1, 2]);
    expect(() => contrastiveLoss(tf.ones([2, 2]), [1, 2], { reference: memory as never })).toThrow(
      "contrastiveLoss: reference must be rows with labels; call the memory's reference()",
    );
    queue.dispose();
    memory.dispose();
    expect(() => memory.negatives()).toThrow("negatives: the memory is empty");
    memory.push(tf.ones([1, 2]));
    expect(memory.size).toBe(1);
    memory.dispose();
  });
});
