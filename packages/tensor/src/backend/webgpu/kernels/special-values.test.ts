import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { gelu, silu } from "../../../ops/activation.js";

// Every op at the edges of the numbers. Subnormal numbers are left out, since WGSL lets adapters take them for zeros.

const largest = 3.4028234663852886e38;
const smallest = 1.1754943508222875e-38;
const least = -2147483648;
const most = 2147483647;

const floats = [
  ...[
    0, -0, 1, -1, 0.5, -0.5, 2.5, -2.5, 0.3, 0.9999999, -0.9999999, 1e-7, -1e-7, 10, -10, 88.6, 88.8, -87.2,
  ],
  ...[-104, 1e3, -1e3, 16777217, 2147483520, 2147483648, -2147483648, 4e9, -4e9, 1e10, 1e20, -1e20],
  ...[largest, -largest, smallest, -smallest, Infinity, -Infinity, NaN],
];
const wholes = [0, 1, -1, 2, -2, 3, -3, 7, -7, 65536, 16777217, -16777217, most - 1, most, least];
const x = () => tf.tensor1d(floats);
const n = () => tf.tensor1d(wholes, "int32");

/** Each value beside each. */
const pairs = (values: number[], dtype: "float32" | "int32"): [tf.Tensor, tf.Tensor] => [
  tf.tensor1d(
    values.flatMap((a) => values.map(() => a)),
    dtype,
  ),
  tf.tensor1d(
    values.flatMap(() => values),
    dtype,
  ),
];
const someFloats = [0, -0, 1, -1, 0.5, -2.5, 3, -3, 1e10, largest, -largest, smallest, -smallest];
const floatPairs = () => pairs([...someFloats, Infinity, -Infinity, NaN], "float32");
const wholePairs = () => pairs(wholes, "int32");

const ops = tf as unknown as Record<string, (...operands: unknown[]) => tf.Tensor>;
const cases: Record<string, Computation | Case> = {};

/** A result that rounds to a subnormal may be 0. */
const absolute = 2.4e-38;
const strict = (run: Computation): Case => ({ run, relative: 1e-6, absolute, signedZeros: true });
const exact = (run: Computation): Case => ({ run, relative: 0, absolute: 0, signedZeros: true });

for (const name of [
  ...["abs", "neg", "sign", "relu", "relu6", "step", "floor", "ceil", "isNaN", "isInf", "isFinite"],
]) {
  cases[`${name} of floats`] = exact(() => ops[name](x()));
}
for (const name of [
  ...["square", "leakyRelu", "elu", "selu", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal"],
  ...["sigmoid", "softplus", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh"],
  ...["acosh", "atanh", "logSigmoid"],
]) {
  cases[`${name} of floats`] = strict(() => ops[name](x()));
}
// tfjs's cpu backend rounds -0.5 to 0, IEEE 754 to -0.
cases["round of floats"] = { run: () => tf.round(x()), relative: 0, absolute: 0 };
// tfjs's cpu backend is good to 2e-7 here, and to 1e-9 near 0.
cases["erf of floats"] = { run: () => tf.erf(x()), relative: 5e-7, absolute: 2e-9 };
for (const [name, activation] of Object.entries({
  silu,
  "gelu by erf": (y: tf.Tensor) => gelu(y),
  "gelu by tanh": (y: tf.Tensor) => gelu(y, "tanh"),
  "quick gelu": (y: tf.Tensor) => gelu(y, "quick"),
})) {
  cases[`${name} of floats`] = { run: () => activation(x()), relative: 1e-5, absolute: 1e-6 };
}
for (const name of ["abs", "neg", "sign", "relu", "relu6", "step", "isNaN", "isInf", "isFinite"]) {
  // tfjs's cpu backend computes abs in float32.
  const values = () => (name === "abs" ? tf.tensor1d([0, 1, -1, 16777216, least], "int32") : n());
  cases[`${name} of int32`] = exact(() => ops[name](values()));
}
// tfjs's cpu backend computes these in float64 and cuts the result to the dtype of the argument.
for (const name of [
  ...["acos", "acosh", "asin", "asinh", "atan", "atanh", "exp", "expm1", "leakyRelu", "log1p", "logSigmoid"],
  ...["reciprocal", "selu", "sinh", "softplus", "square", "abs", "neg", "relu", "step"],
]) {
  const few = [0, 1, -1, 2, -3, 5];
  cases[`${name} of few int32`] = { run: () => ops[name](tf.tensor1d(few, "int32")), relative: 1e-6 };
  cases[`${name} of bool`] = { run: () => ops[name](tf.tensor1d([0, 1, 1], "bool")), relative: 1e-6 };
}
for (const name of [
  ...[
    "add",
    "sub",
    "mul",
    "div",
    "maximum",
    "minimum",
    "mod",
    "floorDiv",
    "squaredDifference",
    "atan2",
    "pow",
  ],
  ...["equal", "less", "divNoNan"],
]) {
  const dtypes = ["bool", "int32", "float32"] as const;
  for (const [a, b] of dtypes.flatMap((first) => dtypes.map((second) => [first, second] as const))) {
    // A quotient of bools by 0 is NaN, which no bool holds.
    const divisors = a === "bool" && b === "bool" ? [1, 1, 1] : [1, 0, 1];
    cases[`${name} of ${a} and ${b}`] = {
      run: () => ops[name](tf.tensor1d([0, 1, 1], a), tf.tensor1d(divisors, b)),
      relative: 1e-6,
    };
  }
}
cases["clipByValue"] = exact(() => [
  tf.clipByValue(x(), -2, 3),
  tf.clipByValue(x(), -1e30, 1e30),
  tf.clipByValue(x(), -Infinity, Infinity),
  tf.clipByValue(n(), -2, 3),
  tf.clipByValue(n(), least, most),
]);

for (const name of ["add", "sub", "mul", "div", "squaredDifference", "divNoNan"]) {
  cases[`${name} of pairs of floats`] = strict(() => ops[name](...floatPairs()));
}
for (const name of ["atan2", "pow", "prelu"]) {
  cases[`${name} of pairs of floats`] = { ...strict(() => ops[name](...floatPairs())), relative: 1e-5 };
}
for (const name of [
  ...["maximum", "minimum", "equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"],
]) {
  cases[`${name} of pairs of floats`] = exact(() => ops[name](...floatPairs()));
  cases[`${name} of pairs of int32`] = exact(() => ops[name](...wholePairs()));
}
// Of factors whose exact product is within 2^53: beyond, tfjs's cpu backend rounds, and ours keeps the low 32 bits.
cases["mul of int32 that wraps"] = exact(() =>
  tf.mul(
    tf.tensor1d([65536, 46341, 46341, 16777217, 16777217, most, most, least, least, 0], "int32"),
    tf.tensor1d([65536, 46341, -46341, -16777217, 7, 7, -1, 3, -1, least], "int32"),
  ),
);
for (const name of ["add", "sub", "floorDiv", "mod"]) {
  cases[`${name} of pairs of int32`] = exact(() => ops[name](...wholePairs()));
}
// NumPy's values where tfjs's cpu backend rounds the sum of a remainder and a divisor that is 2^53 times as large.
const divisible = [0, -0, 1, -1, 0.1, -0.1, 0.5, -2.5, 3, -3, 1e5, -1e5, Infinity, -Infinity, NaN];
cases["mod of pairs of floats"] = strict(() => tf.mod(...pairs(divisible, "float32")));
cases["mod of floats far apart"] = strict(() => tf.mod(tf.tensor([largest, 1e20]), tf.tensor([3, 1e-30])));
const quotients = [0, -0, 1, -1, 0.1, -0.1, 0.5, -2.5, 3, -3, 7, 1e6, -1e6, Infinity, -Infinity, NaN];
cases["floorDiv of pairs of floats"] = exact(() => tf.floorDiv(...pairs(quotients, "float32")));
cases["pow of int32"] = exact(() =>
  tf.pow(
    tf.tensor1d([0, 0, 1, -1, -1, 2, 2, -2, -2, 7, -3, most, least], "int32"),
    tf.tensor1d([0, 5, most, 2, 3, 30, -1, 31, 30, 10, 19, 1, 1], "int32"),
  ),
);

cases["a negative of bool is bool"] = exact(() => {
  const y = tf.neg(tf.cast(tf.tensor1d([0, 1, 1]), "bool"));
  return [y, tf.cast(y, "int32")];
});
cases["casts"] = exact(() => [
  tf.cast(x(), "int32"),
  tf.cast(x(), "bool"),
  tf.cast(tf.tensor1d([16777216, -16777216, least, 7], "int32"), "float32"),
  tf.cast(n(), "bool"),
  tf.cast(tf.cast(n(), "bool"), "float32"),
]);
cases["logic"] = exact(() => [
  tf.logicalNot(tf.cast(x(), "bool")),
  tf.where(tf.greater(x(), 0), x(), tf.neg(x())),
  tf.where(tf.isNaN(x()), tf.zerosLike(x()), x()),
  tf.bitwiseAnd(n(), tf.reverse(n())),
]);
cases["special values on the host beside a tensor"] = strict(() =>
  [NaN, Infinity, -Infinity, -0, largest].flatMap((value) => [
    tf.add(x(), value),
    tf.mul(x(), value),
    tf.maximum(x(), value),
    tf.greater(x(), value),
  ]),
);
cases["fill and pad"] = exact(() => [
  ...[Infinity, NaN, -0].map((value) => tf.fill([5], value)),
  tf.fill([5], least, "int32"),
  tf.pad(tf.tensor1d([1, 2]), [[1, 1]], NaN),
  tf.pad(tf.tensor1d([1, 2], "int32"), [[1, 1]], least),
]);
cases["moves"] = exact(() => [
  tf.transpose(tf.reshape(x(), [1, -1])),
  tf.reverse(x()),
  tf.concat([x(), x()]),
  tf.tile(x(), [2]),
  tf.slice(x(), 3, 9),
]);
cases["the modulus of complex numbers"] = strict(() =>
  tf.abs(tf.complex([3, Infinity, NaN, 0, 1e30, -Infinity], [4, NaN, 1, 0, 1e30, 1])),
);

// Rows that are summed in float32 to what float64, which tfjs's cpu backend sums in, gives too.
const rows = [
  ...[
    [1, NaN, 3, 2],
    [-1, NaN, NaN, -2],
    [Infinity, -Infinity, 0, -0],
  ],
  ...[
    [-Infinity, -Infinity, -Infinity, -Infinity],
    [NaN, NaN, NaN, NaN],
    [Infinity, NaN, -Infinity, 1],
  ],
  ...[
    [Infinity, Infinity, 1, 2],
    [-Infinity, 1, 2, 3],
    [1000, 999, -1000, 0],
    [NaN, 1, 2, 3],
    [1, 2, 3, NaN],
  ],
  ...[
    [smallest, 0, 0, 0],
    [largest, 0, 0, 0],
    [-largest, 0, 1, -1],
  ],
];
const r = () => tf.tensor2d(rows);
const numbers = [most, 1, 0, -1, least, least, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0];
const whole = () => tf.tensor2d(numbers, [4, 4], "int32");
for (const axis of [0, 1]) {
  for (const name of ["max", "min", "argMax", "argMin"]) {
    cases[`${name} along ${axis}`] = { run: () => ops[name](r(), axis), relative: 0, absolute: 0 };
    cases[`${name} of int32 along ${axis}`] = exact(() => ops[name](whole(), axis));
  }
  for (const name of ["sum", "mean", "prod", "cumsum", "cumprod", "logSumExp", "euclideanNorm"]) {
    cases[`${name} along ${axis}`] = { ...strict(() => ops[name](r(), axis)), relative: 1e-5 };
  }
  for (const name of ["sum", "prod", "cumsum"]) {
    cases[`${name} of int32 along ${axis}`] = exact(() => ops[name](whole(), axis));
  }
}
cases["running sums that leave out their own"] = strict(() => tf.cumsum(r(), 1, true, true));
cases["running sums of -0"] = strict(() => tf.cumsum(tf.tensor1d([-0, -0, -0])));
cases["rows of one element"] = exact(() =>
  ["sum", "prod", "max", "min"].map((name) => ops[name](tf.reshape(x(), [floats.length, 1]), 1)),
);
cases["softmax"] = { ...strict(() => [tf.softmax(r()), tf.logSoftmax(r())]), relative: 1e-5 };
cases["all and any"] = exact(() => [tf.all(tf.cast(r(), "bool"), 1), tf.any(tf.cast(r(), "bool"), 1)]);
cases["matMul with NaN and infinities"] = {
  run: () => tf.matMul(tf.slice(r(), 0, [11, 4]), tf.transpose(tf.slice(r(), 0, [11, 4]))),
  relative: 1e-6,
};
cases["pools"] = strict(() => {
  const images = tf.tensor4d(rows.slice(0, 12).flat(), [1, 12, 4, 1]);
  return [tf.maxPool(images, 2, 2, "same"), tf.avgPool(images, 2, 2, "same")];
});

for (const shape of [[0], [0, 3], [3, 0], [2, 0, 3]]) {
  cases[`elementwise ops on [${shape}]`] = exact(() =>
    ["exp", "relu", "softmax", "cumsum", "neg"].map((name) => ops[name](tf.zeros(shape))),
  );
  shape.forEach((size, axis) => {
    cases[`sums along ${axis} of [${shape}]`] = exact(() => [
      tf.sum(tf.zeros(shape), axis),
      tf.prod(tf.zeros(shape), axis),
      tf.any(tf.zeros(shape, "bool"), axis),
      ...(size > 0 ? [tf.max(tf.zeros(shape), axis), tf.argMax(tf.zeros(shape), axis)] : []),
    ]);
  });
}
cases["other ops on no elements"] = exact(() => [
  tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 3])),
  tf.matMul(tf.zeros([0, 2, 3]), tf.zeros([0, 3, 2])),
  tf.concat([tf.zeros([0, 2]), tf.ones([1, 2])], 0),
  tf.gather(tf.tensor2d([[1, 2]]), tf.tensor1d([], "int32")),
  tf.oneHot(tf.tensor1d([], "int32"), 3),
  tf.unsortedSegmentSum(tf.zeros([0, 2]), tf.tensor1d([], "int32"), 3),
  tf.topk(tf.zeros([0, 3]), 2).values,
]);

cases["oneHot"] = exact(() => [
  tf.oneHot(tf.tensor1d([0, 1, 2, 3, -1, most, least], "int32"), 3),
  tf.oneHot(tf.tensor1d([0, 1, 2, 3, -1], "int32"), 3, Infinity, -Infinity, "float32"),
]);
cases["topk of infinities and int32"] = exact(() =>
  [
    tf.tensor2d([
      [Infinity, -Infinity, 3],
      [-largest, largest, smallest],
    ]),
    tf.tensor2d([most, 1, least, -1, 5, 7], [2, 3], "int32"),
  ].flatMap((values) => Object.values(tf.topk(values, 2)) as tf.Tensor[]),
);
cases["searchSorted"] = exact(() =>
  tf.searchSorted(tf.tensor2d([[-Infinity, 0, 1, Infinity]]), tf.tensor2d([[-Infinity, 0.5, Infinity, -0]])),
);
cases["scatters"] = exact(() => [
  tf.scatterND(tf.tensor2d([[0], [2]], [2, 1], "int32"), tf.tensor1d([NaN, Infinity]), [4]),
  tf.sparseToDense(tf.tensor1d([0, 2], "int32"), tf.tensor1d([NaN, -0]), [4], -Infinity),
]);

for (const activation of ["linear", "relu", "relu6", "elu", "leakyrelu", "sigmoid", "prelu"] as const) {
  const preluActivationWeights = () => (activation === "prelu" ? tf.tensor1d([0.1]) : undefined);
  cases[`fused ${activation}`] = {
    run: () => [
      tf.fused.matMul({
        a: tf.tensor2d(floats, [floats.length, 1]),
        b: tf.tensor2d([[1]]),
        activation,
        preluActivationWeights: preluActivationWeights(),
        leakyreluAlpha: 0.2,
      }),
      tf.fused.conv2d({
        x: tf.tensor4d(floats, [1, floats.length, 1, 1]),
        filter: tf.ones([1, 1, 1, 1]) as tf.Tensor4D,
        strides: 1,
        pad: "valid",
        activation,
        preluActivationWeights: preluActivationWeights(),
        leakyreluAlpha: 0.2,
      }),
    ],
    relative: 1e-5,
    absolute,
  };
}

await describeAgainstCpu("special values", cases, { schedules: "all" });
