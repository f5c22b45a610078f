import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = <R extends tf.Rank>(...shape: number[]) => normalTensor<R>(shape[0] + 7, shape);

type Pad = Parameters<typeof tf.conv2d>[3];
const explicit: Pad = [
  [0, 0],
  [1, 2],
  [0, 1],
  [0, 0],
];
const geometries: [string, number[], number[], number | [number, number], Pad][] = [
  ["3 x 3, same", [2, 6, 5, 8], [3, 3, 8, 12], 1, "same"],
  ["3 x 3, odd channels", [2, 5, 6, 3], [3, 3, 3, 5], 1, "same"],
  ["3 x 3, from few channels to many", [1, 6, 6, 4], [3, 3, 4, 16], 1, "same"],
  ["3 x 3, stride 2", [2, 8, 7, 8], [3, 3, 8, 4], 2, "same"],
  ["3 x 3, unequal strides", [1, 9, 8, 8], [3, 3, 8, 4], [1, 2], "valid"],
  ["3 x 3, padding on chosen sides", [2, 6, 5, 8], [3, 3, 8, 8], 2, explicit],
  ["2 x 5 window", [1, 7, 9, 5], [2, 5, 5, 3], 1, "valid"],
  ["1 x 1", [2, 4, 5, 6], [1, 1, 6, 9], 1, "valid"],
  ["1 x 1, stride 2", [2, 4, 5, 8], [1, 1, 8, 4], 2, "valid"],
  ["4 x 4 patches", [2, 8, 8, 3], [4, 4, 3, 8], 4, "valid"],
];
const near = { relative: 1e-5, absolute: 2e-5 };
const cases: Record<string, Case | Computation> = {};
for (const [name, x, filter, strides, pad] of geometries) {
  const run = (a: tf.Tensor, w: tf.Tensor) => tf.conv2d(a as tf.Tensor4D, w as tf.Tensor4D, strides, pad);
  cases[name] = { run: () => run(normal(...x), normal(...filter)), ...near };
  // The output's gradient is the output, so every element of it takes part.
  cases[`${name}: gradients`] = {
    run: () =>
      tf.grads((a, w) => tf.mul(0.5, tf.sum(tf.square(run(a, w)))))([normal(...x), normal(...filter)]),
    relative: 1e-5,
    absolute: 1e-3,
  };
}
cases["dilated"] = {
  run: () => tf.conv2d(normal<tf.Rank.R4>(1, 9, 9, 4), normal<tf.Rank.R4>(3, 3, 4, 8), 1, "same", "NHWC", 2),
  ...near,
};
for (const [x, filter] of [
  [
    [2, 6, 5, 8],
    [3, 3, 8, 12],
  ],
  [
    [2, 6, 5, 3],
    [3, 3, 3, 5],
  ],
  [
    [2, 6, 5, 8],
    [1, 1, 8, 12],
  ],
] as const) {
  for (const [activation, slopes] of [
    ["linear", undefined],
    ["relu", undefined],
    ["prelu", [filter[3]]],
    ["prelu", [6, 5, 1]],
  ] as const) {
    cases[`fused: [${x}] by [${filter}], ${activation}${slopes ? ` with slopes [${slopes}]` : ""}`] = {
      run: () =>
        tf.fused.conv2d({
          x: normal<tf.Rank.R4>(...x),
          filter: normal<tf.Rank.R4>(...filter),
          strides: 1,
          pad: "same",
          bias: normal(filter[3]),
          activation,
          preluActivationWeights: slopes && normal(...slopes),
        }),
      ...near,
    };
  }
}

// Padding takes no part: 0 times infinity would be NaN there.
for (const [name, x, filter, strides, pad] of geometries) {
  if (pad === "valid") continue;
  const at = (shape: number[], values: number[]) => {
    const data = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => (i % 7) - 3);
    values.forEach((value, i) => {
      data[Math.floor(((i + 0.5) / values.length) * data.length)] = value;
    });
    return tf.tensor(data, shape);
  };
  const run = (a: tf.Tensor, w: tf.Tensor) => tf.conv2d(a as tf.Tensor4D, w as tf.Tensor4D, strides, pad);
  for (const value of [Infinity, -Infinity, NaN]) {
    cases[`${name}: weights of ${value}`] = () => {
      const [images, weights] = [at(x, []), at(filter, [value])];
      return [run(images, weights), tf.grad((a) => run(a, weights))(images)];
    };
    cases[`${name}: images and gradients of ${value}`] = () => {
      const [images, weights] = [at(x, [value]), at(filter, [])];
      const y = run(images, weights);
      return [y, tf.grad((w) => run(at(x, []), w))(weights, at(y.shape, [value]))];
    };
  }
  cases[`${name}: weights of infinity only`] = () => run(at(x, []), tf.fill(filter, Infinity));
}
cases["infinite weights in padding, with a bias and an activation"] = () =>
  tf.fused.conv2d({
    x: tf.ones([1, 1, 1, 4]) as tf.Tensor4D,
    filter: tf.tensor4d(
      Float32Array.from({ length: 144 }, (_, i) => (i >= 64 && i < 80 ? i / 100 : Infinity)),
      [3, 3, 4, 4],
    ),
    strides: 1,
    pad: "same",
    bias: tf.tensor1d([1, 2, -9, 3]),
    activation: "relu",
  });

await describeAgainstCpu("convolutions", cases, { schedules: "all" });
