import { normalArray, uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";

const normal = (...shape: number[]) =>
  tf.tensor(normalArray(shape.length + 1, tf.util.sizeFromShape(shape)), shape);
const uniform = (low: number, high: number, ...shape: number[]) =>
  tf.tensor(uniformArray(7, tf.util.sizeFromShape(shape), low, high), shape);
const integers = (low: number, high: number, ...shape: number[]) =>
  tf.cast(tf.floor(uniform(low, high, ...shape)), "int32");
const bools = (...shape: number[]) => tf.greater(normal(...shape), 0);
const specials = () =>
  tf.tensor([0, -0, 1, -1, 0.5, -2.5, 1.5, 2.5, 30, -30, 1e-6, -1e-6, NaN, Infinity, -Infinity]);

/** tfjs's ops by name. */
const ops = tf as unknown as Record<string, (...operands: tf.Tensor[]) => tf.Tensor>;

const cases: Record<string, Computation | Case> = {};

// Over the ranges that training meets; the adapter's own exp and log set the tolerance.
const smooth = [
  "exp",
  "expm1",
  "sigmoid",
  "softplus",
  "tanh",
  "erf",
  "elu",
  "selu",
  "sin",
  "cos",
  "atan",
  "asinh",
  "square",
] as const;
for (const name of smooth) {
  cases[name] = { run: () => ops[name](uniform(-4, 4, 3, 7, 5)), relative: 1e-5, absolute: 2e-6 };
}
for (const name of ["log", "log1p", "sqrt", "rsqrt", "reciprocal", "acosh"] as const) {
  cases[name] = { run: () => ops[name](uniform(1.01, 9, 3, 7, 5)), relative: 1e-5, absolute: 1e-6 };
}
for (const name of ["asin", "acos", "atanh", "tan", "sinh", "cosh"] as const) {
  cases[name] = { run: () => ops[name](uniform(-0.95, 0.95, 33)), relative: 1e-5, absolute: 2e-6 };
}
const exact = [
  "abs",
  "neg",
  "sign",
  "relu",
  "relu6",
  "floor",
  "ceil",
  "round",
  "isNaN",
  "isInf",
  "isFinite",
  "step",
] as const;
for (const name of exact) {
  cases[`${name} of special values`] = { run: () => ops[name](specials()), relative: 0, absolute: 0 };
}
for (const name of ["abs", "neg", "square", "relu", "sign"] as const) {
  cases[`${name} of int32`] = () => ops[name](integers(-9, 9, 5, 3));
}
// Cancelled to nothing near their zeros, the tangent's poles among them, and far out.
const angles = () => {
  const turns = [1, 2, 3, 4, 11, 710, 1e6].flatMap((k) => [(k * Math.PI) / 2, (-k * Math.PI) / 2]);
  return tf.tensor([
    ...turns,
    0,
    -0,
    1e-20,
    0.785398,
    0.785399,
    1e3,
    -1e5,
    3.7e6,
    -1.7e9,
    1e20,
    3.4e38,
    -1e-38,
  ]);
};
for (const name of ["sin", "cos", "tan"] as const) {
  cases[`${name} of any angle`] = { run: () => ops[name](angles()), relative: 5e-7, absolute: 0 };
  cases[`${name} of special values`] = () => ops[name](tf.tensor([NaN, Infinity, -Infinity]));
}
Object.assign(cases, {
  "exp to the last bit": {
    run: () => tf.exp(tf.tensor([...uniformArray(3, 200, -87, 88.7), 0, 1, 10, 88.72, -87.3])),
    relative: 1.3e-7,
    absolute: 0,
  },
  "exp far out": () => tf.exp(tf.tensor([89, 1e9, Infinity, -110, -Infinity, NaN])),
  "batch normalization": () => {
    const [mean, variance] = [normal(5), uniform(0.5, 2, 5)] as tf.Tensor1D[];
    const [offset, scale] = [normal(5), uniform(1, 2, 5)] as tf.Tensor1D[];
    const x = normal(2, 3, 4, 5) as tf.Tensor4D;
    return [
      tf.batchNorm(x, mean, variance, offset, scale),
      tf.batchNorm(x, mean, variance, undefined, scale, 0.1),
      tf.batchNorm(x, mean, variance),
    ];
  },
  clipByValue: () => tf.clipByValue(normal(4, 5), -0.5, 0.7),
  leakyRelu: () => tf.leakyRelu(normal(4, 5), 0.3),
  "step with alpha": () => tf.step(normal(9), 0.25),
  prelu: () => tf.prelu(normal(4, 5), normal(5)),
  logicalNot: () => tf.logicalNot(bools(9)),
  "tanh far out": () => tf.tanh(tf.tensor([-100, -20, 20, 100, 1e-5, -1e-3])),
  "erf near zero": { run: () => tf.erf(uniform(-0.5, 0.5, 33)), relative: 1e-5, absolute: 5e-7 },
  "zero-size": () => tf.exp(tf.zeros([0, 3])),
  scalar: () => tf.exp(tf.scalar(0.5)),
});

const shapes: [string, number[], number[]][] = [
  ["equal shapes", [3, 5, 7], [3, 5, 7]],
  ["a scalar on the host", [3, 5], []],
  ["a vector along rows", [6, 8], [8]],
  ["a vector of odd length along rows", [6, 7], [7]],
  ["a column", [6, 8], [6, 1]],
  ["outer product", [6, 1], [1, 8]],
  ["middle axis", [2, 3, 4, 5], [3, 1, 1]],
  ["both ways at once", [2, 1, 4, 1], [1, 3, 1, 5]],
  ["rank five", [2, 1, 3, 1, 4], [2, 2, 1, 2, 4]],
  ["nothing", [0, 4], [4]],
  ["two scalars", [], []],
];
for (const [name, a, b] of shapes) {
  cases[`sub of ${name}`] = () => tf.sub(normal(...a), uniform(1, 2, ...b));
  cases[`sub of ${name}, turned`] = () => tf.sub(uniform(1, 2, ...b), normal(...a));
}
cases["a scalar on the device"] = () => tf.mul(normal(3, 4), tf.sum(normal(5)));
const binary = ["add", "mul", "div", "maximum", "minimum", "squaredDifference", "atan2"] as const;
for (const name of binary)
  cases[name] = { run: () => ops[name](normal(4, 5), uniform(0.5, 3, 4, 5)), relative: 1e-5, absolute: 1e-6 };
for (const name of [
  "add",
  "sub",
  "mul",
  "floorDiv",
  "mod",
  "maximum",
  "minimum",
  "squaredDifference",
] as const) {
  cases[`${name} of int32`] = () => ops[name](integers(-20, 20, 6, 5), integers(1, 9, 5));
  cases[`${name} by negative int32`] = () => ops[name](integers(-20, 20, 6, 5), integers(-9, -1, 5));
}
for (const name of ["equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"] as const) {
  cases[name] = () => ops[name](integers(0, 3, 6, 5), integers(0, 3, 5));
  cases[`${name} of float32 with NaN`] = () =>
    ops[name](tf.tensor([1, NaN, 2, NaN]), tf.tensor([1, 1, 3, NaN]));
}
Object.assign(cases, {
  "mod of float32": () => tf.mod(tf.tensor([5.5, -5.5, 5.5, -5.5, 0]), tf.tensor([2, 2, -2, -2, 3])),
  "floorDiv of float32": () => tf.floorDiv(tf.tensor([5.5, -5.5, 5.5]), tf.tensor([2, 2, -2])),
  pow: { run: () => tf.pow(uniform(0.1, 4, 20), uniform(-2, 3, 20)), relative: 2e-5, absolute: 1e-6 },
  "pow of negatives": () => tf.pow(tf.tensor([-2, -2, -2, -3, 0, 0, 5]), tf.tensor([3, 2, 0.5, -1, 0, 2, 1])),
  "pow of int32": () =>
    tf.pow(tf.tensor([2, -3, 7, 0], [4], "int32"), tf.tensor([10, 3, 0, 2], [4], "int32")),
  "maximum keeps NaN": () => tf.maximum(tf.tensor([NaN, 1, 2]), tf.tensor([1, NaN, 3])),
  "logicalAnd, logicalOr, logicalXor": () => [
    tf.logicalAnd(bools(7), tf.cast(integers(0, 2, 7), "bool")),
    tf.logicalOr(bools(7), tf.cast(integers(0, 2, 7), "bool")),
    tf.logicalXor(bools(7), tf.cast(integers(0, 2, 7), "bool")),
  ],
  "addN of many": () => tf.addN(Array.from({ length: 15 }, (_, i) => tf.mul(normal(3, 5), i))),
  where: () => tf.where(bools(3, 4), normal(3, 4), tf.zeros([3, 4])),
  "where of broadcast operands": () => tf.where(bools(3, 1), normal(4), tf.ones([3, 4])),
  "where with a scalar": () => tf.where(tf.scalar(true, "bool"), normal(3, 4), tf.ones([3, 4])),
  "cast between all": () => [
    tf.cast(tf.tensor([0, 1.9, -1.9, 300]), "int32"),
    tf.cast(tf.tensor([0, 0.5, -1, NaN]), "bool"),
    tf.cast(integers(-3, 3, 9), "float32"),
    tf.cast(integers(-3, 3, 9), "bool"),
    tf.cast(bools(9), "int32"),
    tf.cast(bools(9), "float32"),
  ],
  "fill, range, linspace, ones and zeros like": () => [
    tf.fill([3, 5], 2.5),
    tf.fill([7], 3, "int32"),
    tf.range(2, 11, 3),
    tf.range(5, 0, -2, "int32"),
    tf.linspace(0, 1, 7),
    tf.onesLike(normal(3, 3)),
    tf.zerosLike(integers(1, 3, 5)),
    tf.onesLike(bools(4)),
  ],
  "more dispatches than a batch holds": () => {
    let x: tf.Tensor = normal(5);
    for (let i = 0; i < 200; i++) x = tf.add(x, tf.mul(x, 0.001));
    return x;
  },
  "more elements than a row of workgroups holds": () => tf.sum(tf.mul(tf.ones([3000, 1500]), 2)),
});

// Rows that a workgroup takes several of, or a part of one, and rows that fill no vector.
for (const shape of [
  [70, 64],
  [3, 1100],
  [19, 33],
] as const) {
  const [rows, columns] = shape;
  cases[`a row added to [${shape}]`] = () => tf.add(normal(rows, columns), normal(columns));
  cases[`a column over [${shape}]`] = () => tf.div(normal(rows, 1), uniform(1, 2, rows, columns));
}

await describeAgainstCpu("elementwise kernels", cases);
