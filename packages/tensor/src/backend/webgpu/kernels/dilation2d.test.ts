import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";

const normal = (...shape: number[]) =>
  tf.tensor(normalArray(shape.length + 2, tf.util.sizeFromShape(shape)), shape);

const geometries: [string, number[], number[], number, number, "same" | "valid"][] = [
  ["3 x 3, same", [2, 5, 6, 3], [3, 3, 3], 1, 1, "same"],
  ["2 x 3, valid", [1, 6, 7, 2], [2, 3, 2], 1, 1, "valid"],
  ["stride 2", [1, 7, 8, 4], [3, 3, 4], 2, 1, "same"],
  ["dilated", [1, 8, 7, 2], [2, 2, 2], 1, 2, "same"],
  ["many places", [2, 10, 11, 2], [2, 2, 2], 1, 1, "valid"],
];
const cases: Record<string, Computation> = {};
for (const [name, x, filter, strides, dilations, pad] of geometries) {
  const run = (a: tf.Tensor, w: tf.Tensor) =>
    tf.dilation2d(a as tf.Tensor4D, w as tf.Tensor3D, strides, pad, dilations);
  cases[name] = () => [
    run(normal(...x), normal(...filter)),
    ...tf.grads((a, w) => tf.mul(0.5, tf.sum(tf.square(run(a, w)))))([normal(...x), normal(...filter)]),
  ];
}

await describeAgainstCpu("dilation", cases, { schedules: "all" });
