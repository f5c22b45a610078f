import * as tf from "@tensorflow/tfjs-core";
import { type Case, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = <R extends tf.Rank>(...shape: number[]) => normalTensor<R>(shape[0] + 5, shape);

type Pad = Parameters<typeof tf.depthwiseConv2d>[3];
const explicit: Pad = [
  [0, 0],
  [1, 2],
  [0, 1],
  [0, 0],
];
const geometries: [string, number[], number[], number | [number, number], Pad][] = [
  ["3 x 3, same", [2, 6, 5, 8], [3, 3, 8, 1], 1, "same"],
  ["odd channels, each to two", [2, 5, 6, 3], [3, 3, 3, 2], 1, "same"],
  ["stride 2", [1, 8, 7, 4], [3, 3, 4, 1], 2, "same"],
  ["unequal strides", [1, 9, 8, 2], [2, 3, 2, 3], [1, 2], "valid"],
  ["padding on chosen sides", [2, 6, 5, 4], [3, 3, 4, 2], 2, explicit],
  // Filter gradients over many places are shared by a workgroup.
  ["many places", [2, 12, 11, 3], [3, 2, 3, 1], 1, "same"],
  ["no channels", [1, 4, 4, 0], [3, 3, 0, 2], 1, "same"],
];
const cases: Record<string, Case> = {};
for (const [name, x, filter, strides, pad] of geometries) {
  const run = (a: tf.Tensor, w: tf.Tensor) =>
    tf.depthwiseConv2d(a as tf.Tensor4D, w as tf.Tensor4D, strides, pad);
  cases[name] = { run: () => run(normal(...x), normal(...filter)), absolute: 1e-5 };
  cases[`${name}: gradients`] = {
    run: () =>
      tf.grads((a, w) => tf.mul(0.5, tf.sum(tf.square(run(a, w)))))([normal(...x), normal(...filter)]),
    absolute: 1e-3,
  };
}
for (const activation of ["relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu", "linear"] as const) {
  cases[`fused with bias and ${activation}`] = {
    run: () =>
      tf.fused.depthwiseConv2d({
        x: normal<tf.Rank.R4>(2, 6, 5, 4),
        filter: normal<tf.Rank.R4>(3, 3, 4, 2),
        strides: 1,
        pad: "same",
        bias: normal(8),
        activation,
        preluActivationWeights: activation === "prelu" ? normal(8) : undefined,
        leakyreluAlpha: 0.3,
      }),
    absolute: 1e-5,
  };
}
Object.assign(cases, {
  dilated: {
    run: () =>
      tf.depthwiseConv2d(
        normal<tf.Rank.R4>(1, 9, 8, 3),
        normal<tf.Rank.R4>(3, 2, 3, 2),
        1,
        "same",
        "NHWC",
        [2, 3],
      ),
    absolute: 1e-5,
  },
  separable: {
    run: () =>
      tf.separableConv2d(
        normal<tf.Rank.R4>(2, 6, 5, 4),
        normal<tf.Rank.R4>(3, 3, 4, 2),
        normal<tf.Rank.R4>(1, 1, 8, 5),
        1,
        "same",
      ),
    absolute: 1e-4,
  },
});

await describeAgainstCpu("depthwise convolutions", cases, { schedules: "all" });
