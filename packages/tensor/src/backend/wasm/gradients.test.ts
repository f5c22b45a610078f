import { checkGradients, expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, it } from "vitest";
import { testBackends } from "../../../test/test-backends.js";

const normal = (...shape: number[]) =>
  tf.tensor(normalArray(shape.length + shape[1], tf.util.sizeFromShape(shape)), shape);

type Pad = Parameters<typeof tf.depthwiseConv2d>[3];
const explicit: Pad = [
  [0, 0],
  [1, 2],
  [0, 1],
  [0, 0],
];

/** Functions whose values and gradients training may need, and the shapes of their inputs. Some windows hold negative values only. */
const functions: Record<string, [(...inputs: tf.Tensor[]) => tf.Tensor, number[][]]> = {};
for (const [name, x, filter, strides, pad] of [
  ["same", [2, 6, 5, 9], [3, 3, 9, 1], 1, "same"],
  ["to several channels", [2, 5, 6, 3], [3, 2, 3, 2], 1, "valid"],
  ["unequal strides", [1, 9, 8, 4], [3, 3, 4, 1], [1, 2], "same"],
  ["padding on chosen sides", [2, 6, 5, 5], [3, 3, 5, 3], 2, explicit],
] as [string, number[], number[], number | [number, number], Pad][]) {
  functions[`depthwiseConv2d, ${name}`] = [
    (a, w) => tf.depthwiseConv2d(a as tf.Tensor4D, w as tf.Tensor4D, strides, pad),
    [x, filter],
  ];
}
const pools = { maxPool: tf.maxPool, avgPool: tf.avgPool };
for (const [name, pool] of Object.entries(pools)) {
  functions[`${name}, overlapping`] = [(x) => pool(x as tf.Tensor4D, 3, 2, "same"), [[2, 7, 6, 3]]];
  functions[`${name}, unequal`] = [(x) => pool(x as tf.Tensor4D, [2, 3], [1, 2], "valid"), [[1, 6, 7, 2]]];
}
Object.assign(functions, {
  "conv2d, unequal strides": [
    (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, [1, 2], "same"),
    [
      [2, 6, 7, 3],
      [3, 3, 3, 5],
    ],
  ],
  separableConv2d: [
    (x, depth, point) =>
      tf.separableConv2d(x as tf.Tensor4D, depth as tf.Tensor4D, point as tf.Tensor4D, 1, "same"),
    [
      [1, 5, 6, 4],
      [3, 3, 4, 2],
      [1, 1, 8, 3],
    ],
  ],
  conv3d: [
    (x, w) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 2, "same"),
    [
      [1, 4, 5, 6, 2],
      [2, 3, 3, 2, 4],
    ],
  ],
  maxPool3d: [(x) => tf.maxPool3d(x as tf.Tensor5D, 2, 2, "same"), [[1, 4, 5, 6, 3]]],
  avgPool3d: [(x) => tf.avgPool3d(x as tf.Tensor5D, 2, 1, "valid"), [[1, 4, 5, 6, 3]]],
  dilation2d: [
    (x, w) => tf.dilation2d(x as tf.Tensor4D, w as tf.Tensor3D, 1, "same"),
    [
      [2, 5, 6, 3],
      [3, 2, 3],
    ],
  ],
  localResponseNormalization: [
    (x) => tf.localResponseNormalization(x as tf.Tensor4D, 2, 1, 0.5, 0.75),
    [[2, 3, 4, 7]],
  ],
  gather: [(x) => tf.gather(x, tf.tensor1d([1, 1, 4], "int32")), [[6, 5]]],
  "gather along columns": [
    (x) =>
      tf.gather(
        x,
        tf.tensor2d(
          [
            [1, 1],
            [4, 0],
          ],
          [2, 2],
          "int32",
        ),
        1,
      ),
    [[3, 6, 2]],
  ],
  batchNorm: [
    (x, mean, deviation, offset, scale) =>
      tf.batchNorm(
        x,
        mean as tf.Tensor1D,
        tf.square(deviation) as tf.Tensor1D,
        offset as tf.Tensor1D,
        scale as tf.Tensor1D,
      ),
    [[4, 5], [5], [5], [5], [5]],
  ],
  mirrorPad: [
    (x) =>
      tf.mirrorPad(
        x,
        [
          [0, 0],
          [0, 0],
        ],
        "reflect",
      ),
    [[4, 5]],
  ],
  spaceToBatchND: [
    (x) =>
      tf.spaceToBatchND(
        x,
        [2, 3],
        [
          [0, 1],
          [1, 1],
        ],
      ),
    [[1, 5, 4, 2]],
  ],
  batchToSpaceND: [
    (x) =>
      tf.batchToSpaceND(
        x,
        [2, 3],
        [
          [0, 1],
          [1, 1],
        ],
      ),
    [[6, 3, 4, 2]],
  ],
} satisfies typeof functions);

const start: Record<string, () => Promise<void>> = {};
beforeAll(async () => {
  for (const backend of await testBackends()) start[backend.name] = backend.start;
});

describe("gradients on WebAssembly", () => {
  it.each(Object.entries(functions))("%s", async (_name, [f, shapes]) => {
    const run = async (backend: string) => {
      await start[backend]();
      let all: Float32Array[] = [];
      await expectNoLeaks(async () => {
        const outputs = tf.tidy(() => {
          const inputs = shapes.map((shape) => normal(...shape));
          // Half the square: the gradient of the output is the output.
          return [f(...inputs), ...tf.grads((...x) => tf.mul(0.5, tf.sum(tf.square(f(...x)))))(inputs)];
        });
        all = await Promise.all(outputs.map(async (y) => (await y.data()) as Float32Array));
        tf.dispose(outputs);
      });
      return all;
    };
    const expected = await run("cpu");
    const actual = await run("wasm");
    for (const [i, values] of actual.entries())
      expectClose(values, expected[i], { relative: 1e-4, absolute: 1e-4 });
  });

  // tfjs's cpu backend gives gradients of images that are not square, or not alone, other shapes and NaN.
  it.each([
    ["bilinear", tf.image.resizeBilinear, false],
    ["bilinear, corners aligned", tf.image.resizeBilinear, true],
    ["nearest", tf.image.resizeNearestNeighbor, false],
  ] as const)("resize, %s", async (_name, resize, alignCorners) => {
    await start["wasm"]();
    await expectNoLeaks(async () => {
      const x = normal(2, 3, 4, 2);
      await checkGradients((image) => resize(image as tf.Tensor4D, [5, 3], alignCorners), [x]);
      x.dispose();
    });
  });
});
