import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../../test/test-backends.js";

type Shape = [number, number, number, number, number];
const mixed = Array.from({ length: 24 }, (_, i) => (i * 7) % 5);

// Inputs and gradients of torch.nn.functional.max_pool3d (PyTorch 2), for gradients 1, 2, 3, ... at its output.
const cases: [
  string,
  { shape: Shape; values: number[]; size: [number, number, number]; expected: number[] },
][] = [
  [
    "a window that is no square",
    {
      shape: [1, 2, 3, 4, 1],
      values: mixed,
      size: [1, 3, 2],
      expected: [0, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 5, 0, 0, 0, 0, 6, 0],
    },
  ],
  [
    "a window of three sizes",
    {
      shape: [1, 2, 3, 4, 1],
      values: mixed,
      size: [2, 2, 3],
      expected: [0, 0, 3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0],
    },
  ],
  [
    "equal values: the first",
    {
      shape: [1, 2, 3, 3, 1],
      values: new Array(18).fill(1),
      size: [2, 2, 2],
      expected: [1, 2, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    },
  ],
];

describe.each(await testBackends())("the gradient of maxPool3d on $name", ({ start }) => {
  beforeAll(start);

  it.each(cases)("%s", async (_name, { shape, values, size, expected }) => {
    const gradient = tf.tidy(() => {
      const run = (x: tf.Tensor5D) => tf.maxPool3d(x, size, 1, "valid");
      const x = tf.tensor5d(values, shape);
      const count = tf.util.sizeFromShape(run(x).shape);
      return tf.grad((y: tf.Tensor) => run(y as tf.Tensor5D))(
        x,
        tf.reshape(tf.range(1, count + 1), run(x).shape),
      );
    });
    expect(Array.from(await gradient.data())).toEqual(expected);
    gradient.dispose();
  });

  it("padding is no element, and a batch and channels stay apart", async () => {
    const gradient = tf.tidy(() => {
      const run = (x: tf.Tensor) => tf.maxPool3d(x as tf.Tensor5D, [2, 3, 2], 2, "same");
      const x = tf.reshape(tf.tensor1d([...mixed, ...mixed.map((v) => -v)]), [2, 2, 3, 2, 2]);
      return tf.grad(run)(x, tf.reshape(tf.range(1, 9), [2, 1, 2, 1, 2]));
    });
    const expected = new Array(48).fill(0);
    for (const [at, value] of [
      [2, 1],
      [7, 6],
      [22, 3],
      [24, 5],
      [29, 14],
      [34, 7],
    ])
      expected[at] = value;
    expect(Array.from(await gradient.data())).toEqual(expected);
    gradient.dispose();
  });
});
