import * as tf from "@tensorflow/tfjs-core";
import { describeAgainstCpu } from "../../../../test/against-cpu.js";
import { scaledDotProductAttention } from "../../../ops/attention.js";

/** Values that vary along all axes, made where they are needed. */
const waves = (shape: [number, number, number], rate: number) =>
  tf.reshape(tf.sin(tf.mul(tf.range(0, shape[0] * shape[1] * shape[2]), rate)), shape) as tf.Tensor3D;

/** Output and gradients of attention of 2 heads at those of query, key and value that `at` names. */
const attention =
  (queries: number, keys: number, at: readonly number[], causal = false) =>
  () => {
    const inputs = [waves([1, queries, 8], 0.37), waves([1, keys, 8], 0.73), waves([1, keys, 8], 1.3)];
    const f = (...own: tf.Tensor[]) => {
      const [q, k, v] = inputs.map((x, i) => (at.includes(i) ? own[at.indexOf(i)] : x)) as tf.Tensor3D[];
      return scaledDotProductAttention(q, k, v, { heads: 2, causal });
    };
    const own = at.map((i) => inputs[i]);
    const dy = waves([1, queries, 8], 0.91);
    return [f(...own), ...tf.grads(f)(own, dy)];
  };

const subsets = [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]];

await describeAgainstCpu(
  "attention's kernels",
  {
    ...Object.fromEntries(
      subsets.flatMap((at) => [
        [`gradients at ${at.map((i) => ["query", "key", "value"][i])}`, attention(5, 12, at)],
        [`causal gradients at ${at.map((i) => ["query", "key", "value"][i])}`, attention(10, 10, at, true)],
      ]),
    ),
    "causal gradients of rows of whole vectors": attention(36, 36, [0, 1, 2], true),
  },
  { schedules: "all" },
);

await describeAgainstCpu("attention in parts", {
  // A head's matrix takes 35 MB, which leaves the forward pass one head, and the gradient some queries, at a time.
  "more tokens than fit at once": {
    run: attention(160, 55_000, [1]),
    relative: 1e-4,
    absolute: 2e-6,
  },
});

const one = (rate: number) => waves([70_000, 1, 4], rate);
await describeAgainstCpu("attention of many sequences", {
  "more sequences than workgroups fit along an axis": () =>
    tf.grads((q, k, v) =>
      scaledDotProductAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { heads: 1 }),
    )([one(0.37), one(0.73), one(1.3)], one(0.91)),
});
