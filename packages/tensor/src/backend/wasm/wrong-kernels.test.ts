import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { initialize } from "../../device/initialize.js";
import "../../shared/register-gradients.js";

// Kernels that tfjs-backend-wasm gets wrong, compared with tfjs's backend "cpu".

type Run = () => tf.Tensor | tf.Tensor[];
const bools = (n = 7) =>
  tf.tensor1d(
    Array.from({ length: n }, (_, i) => i % 3 === 0),
    "bool",
  );
const ints = (values: number[], shape = [values.length]) => tf.tensor(values, shape, "int32");
const ramp = (...shape: number[]) => {
  const y: tf.Tensor = tf.reshape(tf.linspace(-2, 3, tf.util.sizeFromShape(shape)), shape);
  return y as tf.Tensor4D;
};
const ops = tf as unknown as Record<string, (...operands: unknown[]) => tf.Tensor>;

const unary = (
  "abs acos acosh asin asinh atan atanh exp expm1 isFinite isInf isNaN leakyRelu log1p logSigmoid neg reciprocal relu relu6 selu sign " +
  "sinh softplus square step"
).split(" ");
const cases: Record<string, Run> = {};
for (const name of unary) cases[`${name} of bool`] = () => ops[name](bools());
for (const name of "add sub mul maximum minimum mod squaredDifference equal less atan2".split(" ")) {
  cases[`${name} of bools`] = () => ops[name](bools(), tf.reverse(bools()));
}
for (const name of ["sum", "prod", "max", "min", "argMax", "cumsum"]) {
  cases[`${name} of bool`] = () => ops[name](bools(), 0);
}
// Strides that leave out the last pixels of an axis.
for (const [height, width] of [
  [3, 1],
  [1, 3],
  [2, 1],
  [1, 2],
]) {
  const filter = (outputs: number) => ramp(height, width, 2, outputs);
  const x = () => ramp(2, 6, 6, 2);
  cases[`a convolution with a filter of ${height} x ${width} and strides of 3`] = () => [
    tf.conv2d(x(), filter(3), 3, "same"),
    tf.conv2d(x(), filter(3), [2, 3], "same"),
    tf.depthwiseConv2d(x(), filter(2), 3, "same"),
    tf.fused.conv2d({ x: x(), filter: filter(3), strides: 3, pad: "same", bias: tf.ones([3]) }),
    tf.fused.depthwiseConv2d({ x: x(), filter: filter(2), strides: 3, pad: "same", bias: tf.ones([4]) }),
  ];
}
const activations = ["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu", "prelu"] as const;
for (const activation of activations) {
  cases[`convolutions of NaN and infinities with ${activation}`] = () => {
    const preluActivationWeights = activation === "prelu" ? tf.tensor1d([0.1, 0.5]) : undefined;
    const given = { activation, preluActivationWeights, leakyreluAlpha: 0.3, bias: tf.tensor1d([1, -1]) };
    const x = tf.tensor4d([NaN, 1, -1, -Infinity, Infinity, 2, 3, -4, 5, 6, 7, 8], [2, 3, 2, 1]);
    const twice = tf.concat([x, x], 3);
    const all = { strides: 1, pad: "valid" as const, ...given };
    return [
      tf.fused.conv2d({ x, filter: tf.ones([1, 1, 1, 2]), ...all }),
      tf.fused.conv2d({ x, filter: ramp(2, 1, 1, 2), ...all, strides: [2, 1] }),
      tf.fused.depthwiseConv2d({ x: twice, filter: tf.ones([1, 1, 2, 1]), ...all }),
    ];
  };
}
cases["convolutions of NaN and infinities only"] = () => {
  const x = tf.tensor4d([NaN, 1, -1, -Infinity, Infinity, 2, 3, -4, 5, 6, 7, 8], [2, 3, 2, 1]);
  return [
    tf.conv2d(x, tf.ones([1, 1, 1, 3]), 1, "same"),
    tf.conv2d(x, tf.ones([2, 1, 1, 3]), 1, "valid", "NHWC", [2, 1]),
    tf.depthwiseConv2d(x, tf.ones([1, 1, 1, 2]), 1, "valid"),
  ];
};
// Padding takes no part: 0 times infinity would be NaN there.
const endless = (value: number, ...shape: number[]) => {
  const data = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => (i % 7) - 3);
  for (const at of [0, Math.floor(data.length / 2)]) data[at] = value;
  return tf.tensor(data, shape);
};
for (const value of [Infinity, -Infinity, NaN]) {
  for (const [strides, height] of [
    [1, 5],
    [2, 6],
    [1, 1],
  ]) {
    const shapes: [x: number[], filter: number[]] = [
      [2, height, 4, 3],
      [3, 3, 3, 5],
    ];
    const images: ((x: tf.Tensor, w: tf.Tensor) => tf.Tensor)[] = [
      (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, "same"),
      (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, "same"),
    ];
    for (const [i, run] of images.entries()) {
      cases[
        `${value} beside the padding of a ${["", "depthwise "][i]}convolution, ${height} rows, stride ${strides}`
      ] = () => {
        const [x, w] = [endless(1, ...shapes[0]), endless(1, ...shapes[1])];
        const [endlessX, endlessW] = [endless(value, ...shapes[0]), endless(value, ...shapes[1])];
        const y = run(endlessX, w);
        return [
          y,
          run(x, endlessW),
          tf.grad((v) => run(v, endlessW))(x),
          tf.grad((v) => run(x, v))(w, endless(value, ...y.shape)),
        ];
      };
    }
  }
  cases[`${value} beside the padding of a volume`] = () => {
    const run = (x: tf.Tensor, w: tf.Tensor): tf.Tensor =>
      tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 1, "same");
    const [x, w] = [endless(1, 1, 2, 3, 3, 2), endless(1, 3, 3, 3, 2, 2)];
    return [
      run(endless(value, ...x.shape), w),
      run(x, endless(value, ...w.shape)),
      tf.grad((v) => run(v, endless(value, ...w.shape)))(x),
      tf.grad((v) => run(x, v))(w, endless(value, ...x.shape)),
    ];
  };
}
cases["infinite weights over padding only"] = () => {
  const filter = Float32Array.from({ length: 18 }, (_, i) => (i < 8 || i > 9 ? Infinity : i));
  const given = { x: tf.tensor4d([3], [1, 1, 1, 1]), filter: tf.tensor4d(filter, [3, 3, 1, 2]) };
  return tf.fused.conv2d({
    ...given,
    strides: 1,
    pad: "same",
    bias: tf.tensor1d([1, -99]),
    activation: "relu",
  });
};
Object.assign(cases, {
  "moves of bool": () => [
    tf.reverse(bools()),
    tf.stridedSlice(bools(), [6], [0], [-2]),
    tf.where(bools(), bools(), tf.reverse(bools())),
    tf.mirrorPad(bools(), [[2, 3]], "reflect"),
    tf.tile(bools(), [3]),
    tf.gather(bools(), ints([6, 0, 3])),
    tf.diag(bools(3)),
  ],
  "strided slices of int32": () =>
    tf.stridedSlice(ints([1, 2, 3, 4, 5, 16777217], [2, 3]), [0, 2], [2, 0], [1, -1]),
  "a pool of int32": () => tf.maxPool(tf.cast(ramp(1, 4, 4, 2), "int32"), 2, 1, "same"),
  "nearest neighbours of int32": () =>
    tf.image.resizeNearestNeighbor(ints([1, 2, 16777217, -7], [1, 2, 2, 1]) as tf.Tensor4D, [3, 4]),
  "maxima below 0, with their places": () =>
    Object.values(tf.maxPoolWithArgmax(tf.sub(ramp(2, 4, 3, 2), 9) as tf.Tensor4D, 2, 1, "valid")),
  "prelu with weights that are infinite or broadcast": () => [
    tf.prelu(tf.tensor1d([1, -1, 2]), tf.tensor1d([-Infinity, 0.5, Infinity])),
    tf.prelu(ramp(2, 3, 2, 2), ramp(3, 1, 2)),
    tf.fused.matMul({
      a: tf.tensor2d([[1, -2]]),
      b: tf.tensor2d([
        [1, 2],
        [3, 1],
      ]),
      activation: "prelu",
      preluActivationWeights: tf.tensor1d([Infinity, -Infinity]),
    }),
  ],
  "pads with what float32 does not hold, NaN and -0": () => [
    tf.pad(ints([1, 2]), [[1, 1]], 2147483647),
    tf.pad(tf.tensor1d([1, 2]), [[1, 1]], NaN),
    tf.div(1, tf.pad(tf.tensor1d([1, 2]), [[1, 1]], -0)),
  ],
  "gathers in batches": () => [
    tf.gather(ramp(2, 4, 1), ints([0, 0, 0, 2, 0, 2], [2, 3]), 1, 1),
    tf.gather(ramp(3, 2, 2, 3), ints([0, 2, 1, 0, 2, 2], [3, 2]), 3, 1),
    tf.grad((x) => tf.square(tf.gather(x, ints([1, 1, 0, 3], [2, 2]), 1, 1)))(ramp(2, 4, 2)),
  ],
  "running sums along an axis from the end": () => [
    tf.cumsum(ramp(2, 3, 2), -1),
    tf.cumsum(ramp(2, 3, 2), -2, true, true),
    tf.cumprod(ramp(2, 3, 2), -3),
  ],
  "a product of a batch of none": () => tf.matMul(tf.zeros([0, 2, 3]), tf.ones([1, 3, 2])),
  "the gradients of dilation of no images": () =>
    tf.grads((x, filter) => tf.dilation2d(x as tf.Tensor4D, filter as tf.Tensor3D, 1, "same"))([
      tf.zeros([0, 3, 3, 1]),
      tf.ones([2, 2, 1]),
    ]),
  "bilinear beside infinity": () =>
    tf.image.resizeBilinear(tf.tensor4d([1, Infinity, 2, 3, -Infinity, 4], [1, 2, 3, 1]), [2, 6], true),
  "images moved with each fill and interpolation": () =>
    (["constant", "reflect", "wrap", "nearest"] as const).flatMap((fill) =>
      (["nearest", "bilinear"] as const).flatMap((interpolation) =>
        [-9, -4.75, -3, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2.25, 2.5, 3, 9].map((shift) =>
          tf.image.transform(
            ramp(1, 1, 4, 1),
            tf.tensor2d([[1, 0, shift, 0, 1, 0, 0, 0]]),
            interpolation,
            fill,
            2,
            [1, 8],
          ),
        ),
      ),
    ),
  "crops of boxes that are no place": () =>
    tf.image.cropAndResize(
      ramp(1, 3, 3, 1),
      tf.tensor2d([
        [0, 0, NaN, 1],
        [-1e30, 0, 1e30, 1],
        [0, -Infinity, 1, Infinity],
      ]),
      tf.tensor1d([0, 0, 0], "int32"),
      [2, 2],
    ),
} satisfies Record<string, Run>);

const crops = (images: number[]) => {
  const boxes = tf.tensor2d(images.map(() => [0, 0, 1, 1]));
  return tf.image.cropAndResize(ramp(2, 3, 3, 1), boxes, tf.tensor1d(images, "int32"), [2, 2]);
};

async function valuesOn(backend: "cpu" | "wasm", run: Run) {
  await tf.setBackend(backend);
  // Their memory is free when the op asks for some, and shows where it is handed out as it was found.
  tf.dispose([2, 4, 7, 8, 12, 16, 24].flatMap((n) => [tf.fill([n], 12345), tf.fill([n], -777)]));
  const outputs = tf.tidy(() => [run()].flat());
  const result = await Promise.all(
    outputs.map(async (y) => ({ shape: y.shape, dtype: y.dtype, data: await y.data() })),
  );
  tf.dispose(outputs);
  return result;
}

beforeAll(async () => {
  await initialize({ device: "cpu" });
  await initialize({ device: "wasm" });
});

describe("kernels that tfjs-backend-wasm gets wrong", () => {
  it.each(Object.entries(cases))("%s", async (_name, run) => {
    const expected = await valuesOn("cpu", run);
    const actual = await valuesOn("wasm", run);
    const types = expected.map(({ shape, dtype }) => ({ shape, dtype }));
    expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(types);
    for (const [i, { data }] of actual.entries()) {
      expectClose(data, expected[i].data, { relative: 1e-5, absolute: 1e-6 });
    }
  });

  it.each<[string, () => tf.Tensor, RegExp]>([
    [
      "gatherND",
      () => tf.gatherND(ramp(3, 4), ints([3, 0], [1, 2])),
      /Invalid indices: 3,0 does not index into 3,4/,
    ],
    [
      "scatterND",
      () => tf.scatterND(ints([-1], [1, 1]), tf.tensor1d([1]), [5]),
      /Invalid indices: -1 does not index into 5/,
    ],
    [
      "tensorScatterUpdate",
      () => tf.tensorScatterUpdate(tf.zeros([5]), ints([5], [1, 1]), tf.tensor1d([1])),
      /Invalid indices: 5 does not index into 5/,
    ],
    [
      "sparseToDense",
      () => tf.sparseToDense(ints([7]), tf.tensor1d([1]), [5], tf.scalar(0)),
      /Invalid indices: 7 does not index into 5/,
    ],
    [
      "cropAndResize",
      () => crops([0, 2]),
      /cropAndResize: boxInd must be at least 0 and below the batch of 2, got 2 at 1/,
    ],
    [
      "cropAndResize of an image before the first",
      () => crops([-1]),
      /cropAndResize: boxInd must be at least 0 and below the batch of 2, got -1 at 0/,
    ],
    ["bincount", () => tf.bincount(tf.tensor1d([1, -1], "int32"), [], 3), /must be non-negative/],
    ["denseBincount", () => tf.denseBincount(tf.tensor1d([1, -1], "int32"), [], 3), /must be non-negative/],
  ])("%s refuses an index outside, as tfjs's backend cpu does", async (_name, run, message) => {
    for (const backend of ["cpu", "wasm"] as const) {
      await tf.setBackend(backend);
      const before = tf.memory().numTensors;
      expect(() => tf.tidy(run)).toThrow(message);
      expect(tf.memory().numTensors).toBe(before);
    }
  });
});

describe.each(["cpu", "wasm"] as const)("what tfjs-backend-cpu gets wrong too, on %s", (backend) => {
  beforeAll(async () => void (await tf.setBackend(backend)));
  const valuesOf = async (run: () => tf.Tensor) => {
    const y = tf.tidy(run);
    const values = Array.from(await y.data());
    y.dispose();
    return values;
  };

  it("running sums along an axis from the end are numpy.cumsum's", async () => {
    const x = () => tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    expect(await valuesOf(() => tf.cumsum(x(), -1))).toEqual([1, 3, 6, 4, 9, 15]);
    expect(await valuesOf(() => tf.cumsum(x(), -2))).toEqual([1, 2, 3, 5, 7, 9]);
    expect(await valuesOf(() => tf.cumprod(x(), -1))).toEqual([1, 2, 6, 4, 20, 120]);
    expect(tf.cumsum(x(), -1).shape).toEqual([2, 3]);
  });

  it("powers of 1 and infinite powers of -1 are 1, as in IEEE 754 and PyTorch", async () => {
    const [endless, nan] = [Infinity, Number.NaN];
    const bases = [1, 1, 1, -1, -1, nan, 2, nan, -1, 0];
    const exponents = [nan, endless, -endless, endless, -endless, 0, nan, 1, nan, nan];
    const expected = [1, 1, 1, 1, 1, 1, nan, nan, nan, nan];
    expect(await valuesOf(() => tf.pow(bases, exponents))).toEqual(expected);
    expect(await valuesOf(() => tf.pow(1, exponents.slice(0, 3)))).toEqual([1, 1, 1]);
    const table = () => tf.pow(tf.tensor2d([[1], [-1]]), tf.tensor3d([nan, endless], [2, 1, 1]));
    expect(await valuesOf(table)).toEqual([1, nan, 1, 1]);
  });

  it("tensorScatterUpdate leaves its argument as it was", async () => {
    const x = tf.tensor1d([1, 2, 3]);
    const updated = () => tf.tensorScatterUpdate(x, ints([1], [1, 1]), tf.tensor1d([9]));
    expect(await valuesOf(updated)).toEqual([1, 9, 3]);
    expect(Array.from(await x.data())).toEqual([1, 2, 3]);
    x.dispose();
  });

  it("a product of a batch of none has no elements", async () => {
    expect(await valuesOf(() => tf.matMul(tf.zeros([0, 2, 3]), tf.ones([1, 3, 2])))).toEqual([]);
  });

  it("the smallest and the largest bool of none are those of numpy.min and numpy.max with an initial value", async () => {
    expect(await valuesOf(() => tf.min(tf.zeros([0, 1], "bool"), 0))).toEqual([1]);
    expect(await valuesOf(() => tf.max(tf.zeros([0, 1], "bool"), 0))).toEqual([0]);
  });
});
