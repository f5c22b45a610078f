import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = <R extends tf.Rank>(...shape: number[]) => normalTensor<R>(shape.length + 11, shape);

type Pool = (x: tf.Tensor) => tf.Tensor;
/** The output and, with the output itself as its gradient, the gradient of the input. */
const withGradient =
  (shape: number[], pool: Pool): Computation =>
  () => [pool(normal(...shape)), tf.grad((x) => tf.mul(0.5, tf.sum(tf.square(pool(x)))))(normal(...shape))];

type Pad2D = Parameters<typeof tf.maxPool>[3];
const explicit: Pad2D = [
  [0, 0],
  [1, 2],
  [0, 1],
  [0, 0],
];
const images: [string, number[], number | [number, number], number | [number, number], Pad2D][] = [
  ["2 x 2, stride 2", [2, 6, 8, 3], 2, 2, "valid"],
  ["3 x 3, same", [2, 5, 7, 4], 3, 1, "same"],
  ["2 x 3, unequal strides", [1, 7, 8, 5], [2, 3], [2, 1], "same"],
  ["3 x 3, stride 3, a remainder", [1, 8, 10, 2], 3, 3, "valid"],
  ["padded by one", [2, 5, 5, 3], 3, 2, 1],
  ["padded on chosen sides", [1, 6, 5, 3], 3, 2, explicit],
  ["1 x 1", [1, 4, 4, 2], 1, 1, "valid"],
  ["1 x 1, stride 2", [1, 5, 4, 2], 1, 2, "valid"],
  ["no image", [0, 4, 4, 2], 2, 2, "valid"],
];
const cases: Record<string, Computation | Case> = {};
for (const [name, shape, size, strides, pad] of images) {
  for (const [kind, pool] of [["max", tf.maxPool] as const, ["average", tf.avgPool] as const]) {
    const run: Pool = (x) => pool(x as tf.Tensor4D, size, strides, pad);
    cases[`${kind}, ${name}`] = withGradient(shape, run);
  }
}
// tfjs's cpu backend passes by the windows that rounding up adds in gradients, so there they are padded for.
const roundedUp: Pad2D = [
  [0, 0],
  [1, 2],
  [1, 2],
  [0, 0],
];
for (const [kind, pool] of [["max", tf.maxPool] as const, ["average", tf.avgPool] as const]) {
  cases[`${kind}, padded by one, rounded up`] = withGradient([1, 6, 6, 2], (x) =>
    tf.getBackend() === "cpu"
      ? pool(x as tf.Tensor4D, 3, 2, roundedUp)
      : pool(x as tf.Tensor4D, 3, 2, 1, "ceil"),
  );
}
const volumes: [string, number[], number, number, "same" | "valid" | number][] = [
  ["2 x 2 x 2, stride 2", [2, 4, 6, 5, 3], 2, 2, "valid"],
  ["3 x 3 x 3, same", [1, 4, 5, 6, 2], 3, 1, "same"],
  ["padded by one", [1, 5, 4, 5, 2], 3, 2, 1],
];
for (const [name, shape, size, strides, pad] of volumes) {
  for (const [kind, pool] of [["max", tf.maxPool3d] as const, ["average", tf.avgPool3d] as const]) {
    const run: Pool = (x) => pool(x as tf.Tensor5D, size, strides, pad);
    cases[`${kind} of volumes, ${name}`] = withGradient(shape, run);
  }
}
// tfjs's cpu backend misplaces maxima in windows that are no cubes, so there it takes the maximum of all shifts.
const shifts = (x: tf.Tensor) =>
  tf.max(
    tf.stack(
      Array.from({ length: 12 }, (_, i) =>
        tf.slice(x, [0, i % 2, Math.floor(i / 2) % 3, Math.floor(i / 6), 0], [1, 3, 3, 4, 2]),
      ),
    ),
    0,
  );
Object.assign(cases, {
  "max of volumes, a window of three sizes": withGradient([1, 4, 5, 5, 2], (x) =>
    tf.getBackend() === "cpu" ? shifts(x) : tf.maxPool3d(x as tf.Tensor5D, [2, 3, 2], 1, "valid"),
  ),
  "average of volumes, a window of three sizes": withGradient([1, 4, 5, 6, 3], (x) =>
    tf.avgPool3d(x as tf.Tensor5D, [2, 3, 1], [1, 2, 3], "valid"),
  ),
  "max of ties goes to the first": withGradient([1, 4, 4, 1], (x) =>
    tf.maxPool(tf.mul(x, 0) as tf.Tensor4D, 2, 1, "valid"),
  ),
  "max of int32": () => tf.maxPool(tf.cast(tf.mul(normal(1, 4, 5, 3), 100), "int32") as tf.Tensor4D, 2, 1, 0),
  "max passes over NaN": () =>
    tf.maxPool(tf.tensor4d([Number.NaN, -5, -6, -7, Number.NaN, -9], [1, 2, 3, 1]), 2, 1, "valid"),
  "max with places": () => {
    const x = normal<tf.Rank.R4>(2, 5, 6, 3);
    return [true, false].flatMap((batch) => {
      const { result, indexes } = tf.maxPoolWithArgmax(x, 3, 2, "same", batch);
      return [result, indexes];
    });
  },
  "dilated pooling": withGradient([1, 7, 8, 2], (x) =>
    tf.pool(x as tf.Tensor4D, [2, 2], "max", "same", [2, 2]),
  ),
});

await describeAgainstCpu("pooling", cases);
