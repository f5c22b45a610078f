import * as tf from "@tensorflow/tfjs-core";
import { type Case, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = <R extends tf.Rank>(...shape: number[]) => normalTensor<R>(shape[0] + 3, shape);

type Geometry = [string, number[], number[], number | [number, number, number], "same" | "valid"];
const ofEachSchedule: Geometry[] = [
  ["3 x 3 x 3, same", [2, 4, 5, 6, 4], [3, 3, 3, 4, 8], 1, "same"],
  ["odd channels", [1, 3, 4, 5, 3], [2, 3, 1, 3, 5], 1, "valid"],
];
const others: Geometry[] = [
  ["stride 2", [1, 5, 6, 7, 2], [3, 3, 3, 2, 4], 2, "same"],
  ["unequal strides", [1, 5, 6, 7, 2], [2, 2, 3, 2, 3], [1, 2, 3], "valid"],
  ["1 x 1 x 1", [2, 3, 4, 2, 4], [1, 1, 1, 4, 6], 1, "valid"],
];
function casesOf(geometries: Geometry[]): Record<string, Case> {
  const cases: Record<string, Case> = {};
  for (const [name, x, filter, strides, pad] of geometries) {
    const run = (a: tf.Tensor, w: tf.Tensor) => tf.conv3d(a as tf.Tensor5D, w as tf.Tensor5D, strides, pad);
    cases[name] = { run: () => run(normal(...x), normal(...filter)), absolute: 2e-5 };
    cases[`${name}: gradients`] = {
      run: () =>
        tf.grads((a, w) => tf.mul(0.5, tf.sum(tf.square(run(a, w)))))([normal(...x), normal(...filter)]),
      absolute: 2e-3,
    };
  }
  return cases;
}
const dilated: Case = {
  run: () =>
    tf.conv3d(
      normal<tf.Rank.R5>(1, 5, 7, 6, 2),
      normal<tf.Rank.R5>(2, 3, 2, 2, 4),
      1,
      "same",
      "NDHWC",
      [2, 1, 3],
    ),
  absolute: 2e-5,
};
// Padding takes no part: 0 times infinity would be NaN there.
const infinite = (shape: number[], value: number) => {
  const data = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => (i % 7) - 3);
  data[Math.floor(data.length / 2)] = value;
  return tf.tensor5d(data, shape as [number, number, number, number, number]);
};
const padded: Record<string, Case> = {};
for (const stride of [1, 2]) {
  const run = (x: tf.Tensor, w: tf.Tensor) =>
    tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, stride, "same") as tf.Tensor;
  padded[`infinite weights, images and gradients, stride ${stride}`] = {
    run: () => {
      const [x, w] = [
        [1, 3, 4, 3, 2],
        [3, 3, 3, 2, 4],
      ].map((shape) => infinite(shape, 1));
      const [endlessX, endlessW] = [infinite(x.shape, Infinity), infinite(w.shape, -Infinity)];
      const y = run(endlessX, w);
      return [
        y,
        run(x, endlessW),
        tf.grad((images) => run(images, endlessW))(x),
        tf.grad((weights) => run(x, weights))(w, infinite(y.shape, NaN)),
      ];
    },
  };
}

await describeAgainstCpu(
  "convolutions of volumes",
  { ...casesOf(ofEachSchedule), ...padded },
  { schedules: "all" },
);
await describeAgainstCpu("more convolutions of volumes", { ...casesOf(others), dilated });
