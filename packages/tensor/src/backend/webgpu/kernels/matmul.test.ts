import * as tf from "@tensorflow/tfjs-core";
import { type Case, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = <R extends tf.Rank>(...shape: number[]) => normalTensor<R>(shape[0] + 7, shape);

// Sums of products that cancel: the error is that of the sum, about sqrt(k) ulps of its largest term.
const near = { relative: 1e-5, absolute: 1e-5 };
const cases: Record<string, Case> = {};
const sizes: [number, number, number][] = [
  [1, 1, 1],
  [8, 8, 8],
  [17, 5, 9],
  [3, 130, 66],
  [70, 33, 68],
  [64, 20, 12],
];
for (const [m, k, n] of sizes) {
  for (const [ta, tb] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ]) {
    cases[`[${m}, ${k}] [${k}, ${n}]${ta ? ", A transposed" : ""}${tb ? ", B transposed" : ""}`] = {
      run: () => tf.matMul(ta ? normal(k, m) : normal(m, k), tb ? normal(n, k) : normal(k, n), ta, tb),
      ...near,
    };
  }
}
const endsInInfinity = () => tf.concat([tf.ones([4, 5]), tf.fill([1, 5], Number.POSITIVE_INFINITY)]);
const fused =
  (activation: tf.fused.Activation, bias: number[] = [6], slopes: number[] = [6]) =>
  () =>
    tf.fused.matMul({
      a: normal(5, 7),
      b: normal(7, 6),
      bias: normal(...bias),
      activation,
      preluActivationWeights: normal(...slopes),
      leakyreluAlpha: 0.3,
    });
Object.assign(cases, {
  batches: { run: () => tf.matMul(normal(3, 9, 5), normal(3, 5, 12)), ...near },
  "batches, B transposed": { run: () => tf.matMul(normal(3, 9, 5), normal(3, 12, 5), false, true), ...near },
  "a batch of one for all, left": { run: () => tf.matMul(normal(1, 9, 5), normal(3, 5, 12)), ...near },
  "a batch of one for all, right": { run: () => tf.matMul(normal(2, 2, 9, 5), normal(1, 1, 5, 12)), ...near },
  "more products than workgroups fit along an axis": {
    run: () => tf.matMul(normal(70_000, 2, 3), normal(70_000, 3, 2)),
    ...near,
  },
  "no rows": { run: () => tf.matMul(tf.zeros([0, 5]), normal(5, 3)), ...near },
  "nothing to sum": { run: () => tf.matMul(tf.zeros([3, 0]), tf.zeros([0, 4])), ...near },
  "an infinity where an odd sum ends": { run: () => tf.matMul(tf.ones([3, 5]), endsInInfinity()), ...near },
  dot: { run: () => tf.dot(normal(9), normal(9)), ...near },
  gradients: {
    run: () => tf.grads((a, b) => tf.sum(tf.square(tf.matMul(a, b))))([normal(9, 5), normal(5, 12)]),
    ...near,
  },
  "fused with a bias of one for all": { run: fused("relu", [1]), ...near },
  "fused with a bias for each row": { run: fused("relu", [5, 1]), ...near },
  "fused with slopes for each row": { run: fused("prelu", [6], [5, 1]), ...near },
  "fused, a batch of one for all": {
    run: () =>
      tf.fused.matMul({
        a: normal(3, 5, 7),
        b: normal(1, 6, 7),
        transposeB: true,
        bias: normal(6),
        activation: "relu",
      }),
    ...near,
  },
});
for (const activation of ["linear", "relu", "relu6", "elu", "leakyrelu", "prelu", "sigmoid"] as const) {
  cases[`fused with bias and ${activation}`] = { run: fused(activation), ...near };
}

await describeAgainstCpu("matrix products", cases, { schedules: "all" });
