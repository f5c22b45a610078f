import { expectClose, type Tolerance } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import * as ops from "../../index.js";

// Every op on the edges of its numbers, on WebAssembly against tfjs's backend "cpu", which computes in float64.

const { fround } = Math;
const [largest, normal, subnormal] = [3.4028234663852886e38, 1.1754943508222875e-38, 1.401298464324817e-45];
const magnitudes = [
  0,
  0.5,
  1,
  1.5,
  2.5,
  3,
  10,
  20,
  87.5,
  88.6,
  89,
  104,
  1000,
  1e9,
  2 ** 31,
  3e9,
  1e20,
  1e30,
  1e-20,
];
const floats = [...magnitudes, largest, normal, subnormal, Infinity]
  .flatMap((x) => [fround(x), -fround(x)])
  .concat(NaN);
const integers = [
  0,
  1,
  -1,
  2,
  -2,
  3,
  7,
  -7,
  46341,
  65536,
  -65536,
  2 ** 30,
  2 ** 31 - 1,
  1 - 2 ** 31,
  -(2 ** 31),
];
const rows = [
  [1, NaN, 3],
  [Infinity, 1, -Infinity],
  [-Infinity, -Infinity, -Infinity],
  [largest, largest, -largest],
  [-0, -0, -0],
  [subnormal, subnormal, subnormal],
  [-1, -2, -3],
];
const image = [NaN, 1, -1, -2, -3, -4, -Infinity, Infinity, -5];

type Op = () => tf.Tensor | tf.Tensor[];
/** The NaN that a processor makes has its sign bit set, others have not. */
const withNegativeNaN = (values: number[]) => {
  const all = Float32Array.of(...values, NaN);
  new Uint32Array(all.buffer)[values.length] = 0xffc00000;
  return all;
};
const float = (values?: number[]) => tf.tensor1d(values ?? withNegativeNaN(floats));
const int = (values = integers) => tf.tensor1d(values, "int32");
const squared = (values: number[]) => [
  values.flatMap((x) => values.map(() => x)),
  values.flatMap(() => values),
];
const matrix = () => tf.tensor2d(rows);
const pixels = () => tf.tensor4d(image, [1, 3, 3, 1]);
const table = (names: string, op: (f: (...x: unknown[]) => tf.Tensor, name: string) => Record<string, Op>) =>
  Object.assign({}, ...names.split(" ").map((name) => op((tf as never)[name], name))) as Record<string, Op>;

/** tfjs refuses int32 in the other functions of one argument. */
const ofIntegers = new Set(
  (
    "abs acos acosh asin asinh atan atanh exp expm1 isFinite isInf isNaN leakyRelu log1p logSigmoid neg reciprocal relu relu6 selu sign " +
    "sinh softplus square step"
  ).split(" "),
);
const unary = table(
  "abs acos acosh asin asinh atan atanh ceil cos cosh elu erf exp expm1 floor isFinite isInf isNaN leakyRelu log log1p logSigmoid " +
    "neg reciprocal relu relu6 rsqrt selu sigmoid sign sin sinh softplus sqrt square step tan tanh",
  (f, name) => ({
    [name]: () => f(float()),
    ...(ofIntegers.has(name) && { [`${name} of int32`]: () => f(int()) }),
  }),
);
const binary = table(
  "add sub mul div maximum minimum mod floorDiv squaredDifference atan2 equal notEqual greater greaterEqual less lessEqual divNoNan",
  (f, name) => {
    const [a, b] = squared(floats);
    const [i, j] = squared(integers);
    return {
      [name]: () => f(float(a), float(b)),
      [`${name} of int32`]: () => f(int(i), int(j)),
      [`${name} with a scalar`]: () => [f(float(), tf.scalar(2)), f(tf.scalar(-3), float())],
      [`${name} along axes`]: () => f(tf.reshape(float(), [1, -1]), tf.reshape(float(), [-1, 1])),
      [`${name} of nothing`]: () => f(tf.zeros([0, 3]), tf.zeros([3])),
    };
  },
);
const reductions = table("sum mean prod max min argMax argMin logSumExp cumsum cumprod", (f, name) => ({
  [name]: () => [f(matrix(), 0), f(matrix(), 1)],
  ...(!name.startsWith("arg") && {
    [`${name} of nothing`]: () => [f(tf.zeros([0, 3]), 0), f(tf.zeros([3, 0]), 1), f(tf.zeros([0]), 0)],
  }),
  ...(!/log/.test(name) && {
    [`${name} of int32`]: () =>
      f(
        tf.tensor2d(
          [
            [2 ** 31 - 1, 1],
            [-(2 ** 31), -1],
            [46341, 46341],
          ],
          undefined,
          "int32",
        ),
        1,
      ),
  }),
}));
const gradients = table(
  "relu relu6 elu selu sigmoid tanh softplus logSigmoid exp expm1 log1p erf abs square leakyRelu",
  (f, name) => ({
    [`gradient of ${name}`]: () => tf.grad((x) => f(x))(float()),
  }),
);
const variants = ["erf", "tanh", "quick"] as const;
const fused: Record<string, Op> = {
  silu: () => [ops.silu(float()), tf.grad((x) => ops.silu(x))(float())],
  ...Object.fromEntries(
    variants.map((variant) => [
      `gelu ${variant}`,
      () => [ops.gelu(float(), variant), tf.grad((x) => ops.gelu(x, variant))(float())],
    ]),
  ),
  layerNorm: () => ops.layerNorm(tf.gather(matrix(), int([0, 1, 2, 4, 6])), null, null),
  "attention of NaN and infinity": () => {
    const x = (v: number) => tf.tensor3d([1, 2, v, 1, 3, 4], [1, 3, 2]);
    return [NaN, Infinity, -Infinity].flatMap((v) => [
      ops.scaledDotProductAttention(x(v), x(1), x(1), { heads: 1 }),
      ops.scaledDotProductAttention(x(1), x(v), x(1), { heads: 1 }),
      ops.scaledDotProductAttention(x(1), x(1), x(v), { heads: 1, causal: true }),
    ]);
  },
  "attention of nothing": () => [
    ops.scaledDotProductAttention(tf.zeros([0, 3, 2]), tf.zeros([0, 3, 2]), tf.zeros([0, 3, 2]), {
      heads: 1,
    }),
    ops.scaledDotProductAttention(tf.zeros([1, 3, 2]), tf.zeros([1, 0, 2]), tf.zeros([1, 0, 2]), {
      heads: 1,
    }),
  ],
};
const others: Record<string, Op> = {
  "cast to bool": () => [tf.cast(float(), "bool"), tf.cast(int(), "bool")],
  "cast to int32": () => tf.cast(float(), "int32"),
  "oneHot of each dtype": () =>
    (["float32", "int32", "bool"] as const).map((dtype) => tf.oneHot(int([0, 2, -1, 7]), 3, 1, 0, dtype)),
  clipByValue: () => [tf.clipByValue(float(), -2, 3), tf.clipByValue(int(), -5, 5)],
  "all, any of nothing": () => [tf.all(tf.zeros([0], "bool")), tf.any(tf.zeros([0], "bool"))],
  "matMul of nothing": () => [
    tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 3])),
    tf.matMul(tf.zeros([0, 2, 3]), tf.zeros([0, 3, 2])),
    tf.fused.matMul({ a: tf.zeros([2, 0]), b: tf.zeros([0, 3]), bias: tf.ones([3]) }),
  ],
  "matMul of int32": () =>
    tf.matMul(tf.reshape(int([65536, 3, 2 ** 31 - 1, 2]), [2, 2]), tf.reshape(int([65536, 1, 2, 3]), [2, 2])),
  "matMul with an activation": () =>
    tf.fused.matMul({
      a: tf.tensor2d([
        [NaN, 1],
        [0, 2],
      ]),
      b: tf.tensor2d([
        [1, 2],
        [3, 4],
      ]),
      activation: "relu6",
    }),
  "conv2d with an activation": () =>
    tf.fused.conv2d({
      x: pixels(),
      filter: tf.ones([2, 2, 1, 1]),
      strides: 1,
      pad: "same",
      activation: "relu",
    }),
  conv2d: () => [
    tf.conv2d(pixels(), tf.ones([2, 2, 1, 1]), 1, "same"),
    tf.conv2d(tf.zeros([0, 3, 3, 1]) as tf.Tensor4D, tf.ones([2, 2, 1, 1]), 1, "same"),
  ],
  pools: () => [tf.maxPool(pixels(), 2, 1, "same"), tf.avgPool(pixels(), 2, 1, "same")],
  softmax: () => [tf.softmax(matrix()), tf.logSoftmax(matrix()), tf.softmax(tf.tensor2d([[1e30, 1, -1e30]]))],
  topk: () => {
    const { values, indices } = tf.topk(tf.tensor1d([1, NaN, 3, Infinity, -0, 0]), 4);
    return [values, indices];
  },
  linspace: () => tf.linspace(-largest, largest, 3),
  einsum: () => tf.einsum("ij,jk->ik", tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])),
  "gather and segments": () => [
    tf.gather(tf.ones([3, 2]), tf.zeros([0], "int32")),
    tf.unsortedSegmentSum(int(), int(integers.map((_, i) => i % 3)), 4),
    tf.unsortedSegmentSum(tf.tensor1d([1, 2, 3]), int([-1, 5, 0]), 2),
  ],
  "concat, pad and tile of nothing": () => [
    tf.concat([float(), tf.tensor1d([])]),
    tf.pad(
      tf.zeros([0, 2]),
      [
        [1, 1],
        [0, 0],
      ],
      -Infinity,
    ),
    tf.tile(tf.zeros([0]), [2]),
  ],
};

/** Where tfjs's cpu backend is the coarser one, or zeros differ in sign only. */
const tolerances: Record<string, Tolerance> = {
  elu: { absolute: 1e-7 },
  erf: { absolute: 2e-7 },
  silu: { relative: 1e-5, absolute: 1e-36 },
  "gelu erf": { relative: 1e-5, absolute: 1e-6 },
  "gelu tanh": { relative: 1e-5, absolute: 1e-6 },
};

async function outputsOn(backend: "cpu" | "wasm", op: Op) {
  await tf.setBackend(backend);
  // An op that hands out memory as it finds it would show the values that are freed here.
  tf.dispose([1, 2, 3, 4, 6, 8, 12].flatMap((n) => [tf.fill([n], 12345), tf.fill([n], -777)]));
  const outputs = tf.tidy(() => [op()].flat());
  const values = await Promise.all(
    outputs.map(async (y) => ({ shape: y.shape, dtype: y.dtype, data: await y.data() })),
  );
  tf.dispose(outputs);
  return values;
}

const cases = { ...unary, ...binary, ...reductions, ...gradients, ...fused, ...others };

describe("WebAssembly at the edges of numbers", () => {
  beforeAll(async () => {
    await ops.initialize({ device: "cpu" });
    await ops.initialize({ device: "wasm" });
  });

  it.each(Object.entries(cases))("%s", async (name, op) => {
    const expected = await outputsOn("cpu", op);
    const actual = await outputsOn("wasm", op);
    const types = ({ shape, dtype }: { shape: number[]; dtype: string }) => `${dtype} [${shape}]`;
    expect(actual.map(types)).toEqual(expected.map(types));
    // Results below the normal floats may be 0.
    const tolerance = { relative: 1e-5, absolute: 2e-38, ...tolerances[name] };
    for (const [i, { data }] of actual.entries()) expectClose(data, expected[i].data, tolerance);
  });
});

describe.each(["cpu", "wasm"] as const)("values by IEEE 754 on %s", (device) => {
  beforeAll(async () => void (await ops.initialize({ device })));

  it.each<[string, Op, number[]]>([
    [
      "exp",
      () => tf.exp(float([88.6, 89, 1000, Infinity, -104, -Infinity])),
      [fround(Math.exp(fround(88.6))), Infinity, Infinity, Infinity, 0, 0],
    ],
    [
      "activations far out",
      () =>
        [ops.silu(float([-largest])), ops.gelu(float([-largest])), ops.gelu(float([-largest]), "quick")].map(
          (x) => tf.abs(x),
        ),
      [0, 0, 0],
    ],
    [
      "slopes at infinity",
      () => tf.grad((x) => ops.gelu(x, "tanh"))(float([-Infinity, Infinity, NaN])),
      [0, 1, NaN],
    ],
    [
      "relu, relu6 and clip of NaN",
      () => [tf.relu(float([NaN])), tf.relu6(float([NaN])), tf.clipByValue(float([NaN]), 0, 1)],
      [NaN, NaN, NaN],
    ],
    [
      "over no elements",
      () => [tf.sum([]), tf.prod([]), tf.mean([]), tf.max([]), tf.min([])],
      [0, 1, NaN, -Infinity, Infinity],
    ],
    [
      "all and any of no elements",
      () => [tf.all(tf.zeros([0], "bool")), tf.any(tf.zeros([0], "bool"))],
      [1, 0],
    ],
  ])("%s", async (_name, op, expected) => {
    const outputs = tf.tidy(() => [op()].flat());
    const values = await Promise.all(outputs.map((y) => y.data()));
    expectClose(
      values.flatMap((v) => Array.from(v)),
      expected,
      { relative: 1e-6 },
    );
    tf.dispose(outputs);
  });

  it.each<[string, () => tf.Tensor, number]>([
    ["sum", () => tf.sum(tf.fill([1e6], 0.1)), 1e6 * fround(0.1)],
    ["mean", () => tf.mean(tf.fill([1e7], 0.1)), fround(0.1)],
    ["sum over rows", () => tf.slice(tf.sum(tf.fill([1e6, 4], 0.1), 0), 0, 1), 1e6 * fround(0.1)],
    [
      "sum over the axis in the middle",
      () => tf.slice(tf.reshape(tf.sum(tf.fill([2, 3e5, 2], 0.1), 1), [-1]), 3),
      3e5 * fround(0.1),
    ],
    [
      "mean over the first and last axes",
      () => tf.slice(tf.mean(tf.fill([1000, 2, 1000], 0.1), [0, 2]), 1),
      fround(0.1),
    ],
    ["mean of int32", () => tf.mean(tf.fill([2 ** 20], 239, "int32")), 239],
    ["matMul", () => tf.matMul(tf.fill([1, 1e6], 0.1), tf.ones([1e6, 1])), 1e6 * fround(0.1)],
    ["norm", () => tf.norm(tf.fill([1e6], 0.1)), 1e3 * fround(0.1)],
    ["globalNorm", () => ops.globalNorm([tf.fill([4e6], 1e-3)]), 2e3 * fround(1e-3)],
    [
      "bias gradient",
      () =>
        tf.slice(
          tf.grad((b) =>
            tf.sum(ops.linear(tf.ones([1e6, 1]) as tf.Tensor2D, tf.ones([2, 1]), b as tf.Tensor1D)),
          )(tf.zeros([2])),
          0,
          1,
        ),
      1e6,
    ],
    [
      "gradient of a filter",
      () =>
        tf.reshape(
          tf.grad((w) =>
            tf.sum(tf.conv2d(tf.fill([1, 1000, 1000, 1], 0.1) as tf.Tensor4D, w as tf.Tensor4D, 1, "same")),
          )(tf.ones([1, 1, 1, 1])),
          [-1],
        ),
      1e6 * fround(0.1),
    ],
    [
      "gradient of layerNorm's weight",
      () =>
        tf.slice(
          tf.grad((w) =>
            tf.sum(ops.layerNorm(tf.tile(tf.tensor2d([[-1, 1]]), [1e5, 1]), w as tf.Tensor1D, null)),
          )(tf.ones([2])),
          1,
        ),
      1e5 / Math.sqrt(1 + 1e-5),
    ],
  ])("a long %s is within 1e-5", async (_name, f, expected) => {
    const y = tf.tidy(f);
    expectClose(await y.data(), [expected], { relative: 1e-5 });
    y.dispose();
  });

  it("normalises beside a large mean to 1e-4 of the deviation, and so do the gradients", async () => {
    const values = [-1.5, -0.5, 0.25, 0.5, 1.25, 0, -0.75, 0.75];
    const mean = 1e4;
    const run = (shift: number) => {
      const x = tf.tensor2d(
        values.map((v) => v + shift),
        [1, 8],
      );
      const [w, b] = [tf.linspace(0.5, 1.5, 8), tf.zeros([8])] as tf.Tensor1D[];
      const dy = tf.linspace(-1, 1, 8);
      const images = (y: tf.Tensor) => tf.reshape(y, [1, 2, 2, 2]) as tf.Tensor4D;
      const layer = (y: tf.Tensor, v: tf.Tensor) => ops.layerNorm(y, v as tf.Tensor1D, b);
      const group = (y: tf.Tensor, v: tf.Tensor) =>
        tf.reshape(
          ops.groupNorm(images(y), tf.slice(v, 0, 2) as tf.Tensor1D, tf.zeros([2]), {
            groups: 1,
            activation: "silu",
          }),
          [1, 8],
        );
      return [
        layer(x, w),
        group(x, w),
        ...tf.grads((y, v) => tf.mul(layer(y, v), dy))([x, w]),
        ...tf.grads((y, v) => tf.mul(group(y, v), dy))([x, w]),
      ];
    };
    const [near, far] = tf.tidy(() => [run(0), run(mean)]);
    for (const [i, y] of near.entries()) expectClose(await far[i].data(), await y.data(), { absolute: 1e-4 });
    tf.dispose([near, far]);
  });
});
