import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = (...shape: number[]) => normalTensor<tf.Rank.R4>(6, shape);

const cases: Record<string, Computation> = {};
const boxes = () =>
  tf.tensor2d(
    [0, 0, 1, 1, 0.1, 0.2, 0.72, 0.95, 0.83, 0.91, 0.22, 0.13, -0.3, 0.2, 0.6, 1.4, 0.3, 0.1, 1, 1],
    [5, 4],
  );
const owners = () => tf.tensor1d([0, 1, 1, 0, 2], "int32");
for (const method of ["bilinear", "nearest"] as const) {
  for (const size of [
    [3, 4],
    [7, 5],
    [1, 1],
    [1, 6],
  ] as [number, number][]) {
    cases[`crops to [${size}], ${method}`] = () =>
      tf.image.cropAndResize(normal(3, 6, 7, 2), boxes(), owners(), size, method, 0.5);
  }
}
// Of a place that is known this is an error; a kernel of WebGPU cannot throw one for a place on the device, and reads no other memory.
cases["a crop of no image"] = () =>
  tf.getBackend() === "cpu"
    ? tf.zeros([1, 2, 2, 1])
    : tf.image.cropAndResize(
        normal(1, 3, 3, 1),
        tf.tensor2d([0, 0, 1, 1], [1, 4]),
        tf.mul(tf.range(7, 8, 1, "int32"), tf.range(1, 2, 1, "int32")) as tf.Tensor1D,
        [2, 2],
      );

const maps: [string, number[]][] = [
  ["a shift", [1, 0, 2.3, 0, 1, -1.6, 0, 0]],
  ["a turn and a shear", [0.8, -0.57, 1.2, 0.61, 1.1, -0.7, 0, 0]],
  ["a projection", [1.3, 0.2, -2.7, -0.1, 0.9, 0.33, 0.011, 0.023]],
  ["far away", [3.7, 0, -11.2, 0, 4.1, 9.3, 0, 0]],
];
for (const [name, map] of maps) {
  for (const fillMode of ["constant", "nearest", "reflect", "wrap"] as const) {
    for (const interpolation of ["bilinear", "nearest"] as const) {
      cases[`${name}, ${fillMode}, ${interpolation}`] = () =>
        tf.image.transform(
          normal(1, 5, 6, 3),
          tf.tensor2d(map, [1, 8]),
          interpolation,
          fillMode,
          0.25,
          [6, 4],
        );
    }
  }
}
cases["a map for each image"] = () => {
  const image = normal(2, 5, 6, 3);
  const rows = tf.tensor2d([...maps[0][1], ...maps[1][1]], [2, 8]);
  // tfjs's cpu backend leaves all images but the first empty, so there each is warped alone.
  if (tf.getBackend() !== "cpu") return tf.image.transform(image, rows);
  const alone = [0, 1].map((i) => tf.image.transform(tf.slice(image, i, 1), tf.slice(rows, i, 1)));
  return tf.concat(alone);
};
for (const [name, radians, fill, center] of [
  // About a pixel's centre, where no place falls between two pixels.
  ["a quarter, in colour", Math.PI / 2, [1, 2, 3], [2 / 7, 0.5]],
  ["0.7 about a corner", 0.7, 0.5, [0, 0]],
  ["-2 about a point", -2, 0, [0.3, 0.6]],
] as [string, number, number | [number, number, number], number | [number, number]][]) {
  cases[`rotation by ${name}`] = () => tf.image.rotateWithOffset(normal(2, 6, 7, 4), radians, fill, center);
}

// Coordinates far outside are rounded to float32 before they are folded back.
const close = (run: Computation): Case => ({ run, absolute: 1e-5 });
const closeCases = Object.entries(cases).map(([name, run]) => [name, close(run)]);
await describeAgainstCpu("warping", Object.fromEntries(closeCases));
