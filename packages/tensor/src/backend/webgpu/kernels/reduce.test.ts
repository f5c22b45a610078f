import { normalArray, uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";

const normal = (...shape: number[]) =>
  tf.tensor(normalArray(shape.length + 5, tf.util.sizeFromShape(shape)), shape);
const cases: Record<string, Computation | Case> = {};
const axes: (number | number[] | undefined)[] = [undefined, 0, 1, -1, [0, 2], [1, 2], [0, 1], [0, 1, 2]];
for (const axis of axes) {
  cases[`along ${axis}`] = () => [
    tf.sum(normal(5, 3, 7), axis),
    tf.mean(normal(5, 3, 7), axis, true),
    tf.max(normal(5, 3, 7), axis),
    tf.min(normal(5, 3, 7), axis, true),
    tf.prod(normal(5, 3, 7), axis),
  ];
}
Object.assign(cases, {
  "axes apart in rank 4": () => tf.sum(normal(3, 5, 2, 7), [1, 3]),
  "a scalar": () => tf.sum(tf.scalar(3)),
  nothing: () => [tf.sum(tf.zeros([0, 3]), 0), tf.prod(tf.zeros([0, 3]), 0)],
  int32: () => [
    tf.sum(tf.tensor([1, 2, 3, 4, 5, 6], [2, 3], "int32"), 1),
    tf.max(tf.tensor([1, -2, 3, 4, 5, -6], [2, 3], "int32"), 0),
    tf.min(tf.tensor([1, -2, 3, 4, 5, -6], [2, 3], "int32")),
  ],
  bools: () => [
    tf.all(tf.greater(normal(4, 3), -1), 1),
    tf.any(tf.greater(normal(4, 3), 1), 0),
    tf.sum(tf.greater(normal(4, 3), 0)),
  ],
  "NaN in max": () => tf.max(tf.tensor([1, NaN, 2])),
  infinities: () => [tf.max(tf.tensor([-Infinity, -Infinity])), tf.min(tf.tensor([Infinity, 3]))],
  logSumExp: () => tf.logSumExp(normal(6, 9), 1),
  moments: () => {
    const { mean, variance } = tf.moments(normal(4, 6, 5), [0, 1]);
    return [mean, variance];
  },
  // Positive terms, so that the float32 sum itself is well conditioned.
  "a long sum": { run: () => tf.sum(tf.tensor(uniformArray(3, 100_000, 0, 1))), relative: 1e-5 },
  "long columns": {
    run: () => tf.sum(tf.tensor(uniformArray(3, 60_000, 0, 1), [20_000, 3]), 0),
    relative: 1e-5,
  },
  "long rows": {
    run: () => tf.mean(tf.tensor(uniformArray(3, 60_000, 0, 1), [3, 20_000]), 1),
    relative: 1e-5,
  },
});

await describeAgainstCpu("reductions", cases, { schedules: "all" });
await describeAgainstCpu(
  "softmax",
  {
    "of rows": () => [tf.softmax(normal(5, 9)), tf.logSoftmax(normal(5, 9))],
    "of long rows": () => [tf.softmax(normal(3, 300)), tf.logSoftmax(normal(2, 2, 130))],
    "of large logits": () => tf.softmax(tf.mul(normal(4, 7), 300)),
    "of one": () => tf.softmax(normal(3, 1)),
    gradient: () => tf.grad((x) => tf.sum(tf.square(tf.softmax(x))))(normal(5, 9)),
  },
  { schedules: "all" },
);
