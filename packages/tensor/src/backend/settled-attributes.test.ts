import { checkGradients, expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { normalTensor } from "../../test/normal-tensor.js";
import { testBackends } from "../../test/test-backends.js";

type Size = [number, number];
type Run = (x: tf.Tensor4D, size: Size, strides: Size, pad: number | "valid") => tf.Tensor;

const filter = (shape: number[]) => normalTensor<tf.Rank.R4>(2, shape as tf.Tensor4D["shape"]);
/** Ops by how they pad: the value that makes "valid" of an image with a border of it what the number as padding is. */
const ops: Record<string, { run: Run; border: number }> = {
  conv2d: { run: (x, size, strides, pad) => tf.conv2d(x, filter([...size, 3, 4]), strides, pad), border: 0 },
  "fused.conv2d": {
    run: (x, size, strides, pad) => tf.fused.conv2d({ x, filter: filter([...size, 3, 4]), strides, pad }),
    border: 0,
  },
  depthwiseConv2d: {
    run: (x, size, strides, pad) => tf.depthwiseConv2d(x, filter([...size, 3, 2]), strides, pad),
    border: 0,
  },
  "fused.depthwiseConv2d": {
    run: (x, size, strides, pad) =>
      tf.fused.depthwiseConv2d({ x, filter: filter([...size, 3, 2]), strides, pad }),
    border: 0,
  },
  maxPool: { run: (x, size, strides, pad) => tf.maxPool(x, size, strides, pad), border: -Infinity },
  dilation2d: {
    run: (x, size, strides, pad) =>
      tf.dilation2d(x, filter([...size, 3]) as tf.Tensor as tf.Tensor3D, strides, pad as "valid"),
    border: -Infinity,
  },
};
function ones(shape: number[]): tf.Tensor4D {
  const x: tf.Tensor = tf.ones(shape);
  return x as tf.Tensor4D;
}
const sizes: Size[] = [
  [3, 2],
  [2, 3],
  [1, 3],
  [2, 2],
];
const strides: Size[] = [
  [1, 1],
  [1, 2],
  [2, 1],
];
const grids = sizes.flatMap((size) => strides.flatMap((step) => [0, 1].map((pad) => ({ size, step, pad }))));

const bordered = (x: tf.Tensor4D, pad: number, value: number) =>
  tf.pad(
    x,
    [
      [0, 0],
      [pad, pad],
      [pad, pad],
      [0, 0],
    ],
    value,
  );

describe.each(await testBackends())("settled attributes on $name", ({ start }) => {
  beforeAll(start);
  // Tensors that lie beside the results, and must keep their values.
  let beside: tf.Tensor[];
  beforeEach(() => {
    beside = [3, 8, 40, 200].map((n) => tf.fill([n], n));
  });
  afterEach(async () => {
    for (const x of beside) expect(new Set(await x.data())).toEqual(new Set([x.size]));
    tf.dispose(beside);
  });
  const values = async (run: () => tf.Tensor) => {
    const y = tf.tidy(run);
    const data = await y.data();
    y.dispose();
    return { shape: y.shape, data };
  };

  it.each(Object.entries(ops))(
    "a number as padding of %s counts columns by the width",
    async (_name, { run, border }) => {
      for (const { size, step, pad } of grids) {
        const x = normalTensor<tf.Rank.R4>(1, [2, 7, 6, 3]);
        const got = await values(() => run(x, size, step, pad));
        const expected = await values(() => run(bordered(x, pad, border), size, step, "valid"));
        expect(got.shape).toEqual(expected.shape);
        expectClose(got.data, expected.data, { relative: 1e-5, absolute: 1e-6 });
        x.dispose();
      }
    },
  );

  it("a number as padding of avgPool averages the elements inside, and so does its gradient", async () => {
    // Where padding fills a window there is nothing to average.
    for (const { size, step, pad } of grids.filter(({ size, pad }) => pad < Math.min(...size))) {
      const x = normalTensor<tf.Rank.R4>(1, [2, 7, 6, 3]);
      const run = (y: tf.Tensor4D) => tf.avgPool(y, size, step, pad);
      const got = await values(() => run(x));
      const expected = await values(() => {
        const sum = (y: tf.Tensor4D) =>
          tf.mul(tf.avgPool(bordered(y, pad, 0), size, step, "valid"), size[0] * size[1]);
        return tf.div(sum(x), sum(tf.onesLike(x)));
      });
      expect(got.shape).toEqual(expected.shape);
      expectClose(got.data, expected.data, { relative: 1e-5, absolute: 1e-6 });
      await checkGradients((y) => run(y as tf.Tensor4D), [x]);
      x.dispose();
    }
  });

  it.each(Object.entries(ops).filter(([name]) => name !== "dilation2d"))(
    "the gradient of %s follows a number as padding",
    async (_name, { run }) => {
      for (const [size, step] of [
        [
          [3, 2],
          [1, 1],
        ],
        [
          [2, 3],
          [1, 2],
        ],
      ] as Size[][]) {
        // Far apart, so that a difference does not move a maximum.
        const x = tf.tidy(() => {
          const places = tf.mod(tf.mul(tf.range(0, 60), 23), 60);
          return tf.reshape(tf.div(places, 20), [1, 5, 4, 3]) as tf.Tensor4D;
        });
        await checkGradients((y) => run(y as tf.Tensor4D, size, step, 1), [x]);
        x.dispose();
      }
    },
  );

  it("conv2dTranspose fills its last column", async () => {
    const run = (pad: number | "valid") => () =>
      tf.conv2dTranspose(ones([1, 3, 3, 1]), ones([3, 2, 1, 1]), [1, 5, 4, 1], 1, pad);
    const got = await values(run(0));
    // The transposed product of ones: 1, 2, 3, 2, 1 rows times 1, 2, 2, 1 columns.
    expect(Array.from(got.data)).toEqual(
      [1, 2, 3, 2, 1].flatMap((rows) => [1, 2, 2, 1].map((n) => n * rows)),
    );
    expectClose(got.data, (await values(run("valid"))).data);
  });

  it("refuses a window that does not fit, by its sizes", () => {
    const image = ones([1, 2, 2, 1]);
    const before = tf.memory().numTensors;
    const refused: (() => tf.Tensor | tf.NamedTensorMap)[] = [
      () => tf.conv2d(image, ones([5, 5, 1, 1]), 1, "valid"),
      () => tf.conv2d(image, ones([7, 1, 1, 1]), 1, 1),
      () => tf.conv2d(image, ones([2, 2, 1, 1]), 1, "valid", "NHWC", 4),
      () => tf.fused.conv2d({ x: image, filter: ones([1, 5, 1, 1]), strides: 1, pad: 0 }),
      () => tf.depthwiseConv2d(image, ones([5, 5, 1, 1]), 1, "valid"),
      () => tf.dilation2d(image, tf.ones([5, 5, 1]) as tf.Tensor3D, 1, "valid"),
      () => tf.maxPool(image, [5, 5], 1, "valid"),
      () => tf.avgPool(image, [1, 5], 1, 0),
      () => tf.maxPoolWithArgmax(image, 4, 1, "valid"),
    ];
    for (const run of refused) {
      expect(() => tf.tidy(() => run() as tf.Tensor)).toThrow(
        /: the window of \d+ x \d+ must fit into the image of 2 x 2 with padding \[\[/,
      );
    }
    expect(tf.memory().numTensors).toBe(before);
    image.dispose();
  });

  it("a convolution of NCHW is that of NHWC transposed, gradients included", async () => {
    const x = normalTensor<tf.Rank.R4>(1, [2, 3, 5, 4]);
    const w = normalTensor<tf.Rank.R4>(2, [3, 2, 3, 4]);
    const asLast = (pad: number | "same") => (y: tf.Tensor4D, f: tf.Tensor4D) =>
      tf.transpose(tf.conv2d(tf.transpose(y, [0, 2, 3, 1]), f, [2, 1], pad), [0, 3, 1, 2]);
    const asFirst = (pad: number | "same") => (y: tf.Tensor4D, f: tf.Tensor4D) =>
      tf.conv2d(y, f, [2, 1], pad, "NCHW");
    for (const pad of [0, 1, "same"] as const) {
      const [got, expected] = [await values(() => asFirst(pad)(x, w)), await values(() => asLast(pad)(x, w))];
      expect(got.shape).toEqual(expected.shape);
      expectClose(got.data, expected.data, { relative: 1e-5, absolute: 1e-6 });
      for (const side of [0, 1]) {
        const gradient = (run: (y: tf.Tensor4D, f: tf.Tensor4D) => tf.Tensor) =>
          values(() => tf.grads(run as () => tf.Tensor)([x, w])[side]);
        expectClose((await gradient(asFirst(pad))).data, (await gradient(asLast(pad))).data, {
          relative: 1e-5,
          absolute: 1e-5,
        });
      }
    }
    const fused = await values(() =>
      tf.fused.conv2d({
        x,
        filter: w,
        strides: 1,
        pad: 0,
        dataFormat: "NCHW",
        bias: tf.tensor1d([1, 2, 3, 4]),
      }),
    );
    const apart = await values(() =>
      tf.add(tf.conv2d(x, w, 1, "valid", "NCHW"), tf.tensor3d([1, 2, 3, 4], [4, 1, 1])),
    );
    expectClose(fused.data, apart.data, { relative: 1e-5, absolute: 1e-6 });
    tf.dispose([x, w]);
  });

  it("refuses a depthwise convolution of NCHW", () => {
    const run = () => tf.depthwiseConv2d(ones([1, 2, 3, 3]), ones([2, 2, 2, 1]), 1, "same", "NCHW");
    expect(() => tf.tidy(run)).toThrow('depthwiseConv2d: dataFormat must be "NHWC", got "NCHW"');
  });
});
