import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { type GeluVariant, gelu, silu } from "../../../ops/activation.js";
import { scaledDotProductAttention } from "../../../ops/attention.js";
import { conv2d } from "../../../ops/conv2d.js";
import { geglu } from "../../../ops/geglu.js";
import { groupNorm } from "../../../ops/group-norm.js";
import { layerNorm } from "../../../ops/layer-norm.js";
import { linear } from "../../../ops/linear.js";
import { upsampleNearest2d } from "../../../ops/upsample.js";

let seed = 0;
const normal = (...shape: number[]) => tf.tensor(normalArray(++seed, tf.util.sizeFromShape(shape)), shape);

/** Outputs and the gradient of every input, for a random gradient of the output; cpu runs the composites of tfjs ops. */
const withGradients =
  (f: (...xs: tf.Tensor[]) => tf.Tensor, ...shapes: number[][]): Computation =>
  () => {
    seed = 0;
    const inputs = shapes.map((shape) => normal(...shape));
    const y = f(...inputs);
    return [y, ...tf.grads(f)(inputs, normal(...y.shape))];
  };

const near = { relative: 1e-5, absolute: 1e-5 };
const cases: Record<string, Case> = {};
for (const variant of ["erf", "tanh", "quick"] satisfies GeluVariant[]) {
  cases[`gelu ${variant}`] = { run: withGradients((x) => gelu(x, variant), [5, 7]), ...near };
}
cases["geglu"] = { run: withGradients((x) => geglu(x), [3, 5, 14]), ...near };
cases["geglu of whole vec4s"] = { run: withGradients((x) => geglu(x), [5, 24]), ...near };
cases["silu"] = { run: withGradients((x) => silu(x), [5, 7]), ...near };
for (const [rows, dim] of [
  [6, 9],
  [3, 200],
]) {
  cases[`layerNorm of ${rows} rows of ${dim}`] = {
    run: withGradients(
      (x, w, b) => layerNorm(x, w as tf.Tensor1D, b as tf.Tensor1D),
      [2, rows, dim],
      [dim],
      [dim],
    ),
    ...near,
  };
}
for (const [activation, height] of [
  [undefined, 3],
  ["silu", 4],
  ["silu", 9],
] as const) {
  cases[`groupNorm ${activation ?? ""} of ${height} x 8`] = {
    run: withGradients(
      (x, w, b) => groupNorm(x as tf.Tensor4D, w as tf.Tensor1D, b as tf.Tensor1D, { groups: 3, activation }),
      [2, height, 8, 12],
      [12],
      [12],
    ),
    relative: 1e-5,
    absolute: 2e-5,
  };
}
for (const [rows, width, out] of [
  [5, 7, 6],
  [40, 33, 72],
]) {
  const shapes = [[2, rows, width], [out, width], [out], [2, rows, out]];
  cases[`linear of ${rows} x ${width}, with a residual`] = {
    run: withGradients(
      (x, w, b, residual) => linear(x, w as tf.Tensor2D, b as tf.Tensor1D, residual),
      ...shapes,
    ),
    ...near,
  };
  cases[`linear of ${rows} x ${width}, with a residual only`] = {
    run: withGradients(
      (x, w, residual) => linear(x, w as tf.Tensor2D, null, residual),
      ...shapes.filter((_, i) => i !== 2),
    ),
    ...near,
  };
}
for (const [size, out, places] of [
  [3, 5, [2, 5, 6]],
  [3, 8, [2, 1, 1]],
  [1, 5, [2, 1, 1]],
  [1, 8, [2, 5, 6]],
] as const) {
  cases[`conv2d of ${size} x ${size} to ${out} channels, with a residual at [${places}]`] = {
    run: withGradients(
      (x, w, b, residual) =>
        conv2d(x as tf.Tensor4D, w as tf.Tensor4D, b as tf.Tensor1D, {
          padding: (size - 1) / 2,
          residual: residual as tf.Tensor4D,
        }),
      [2, 5, 6, 4],
      [size, size, 4, out],
      [out],
      [...places, out],
    ),
    ...near,
  };
}
const attentions: [string, number, number, number, number, boolean][] = [
  ["self", 2, 2, 9, 9, false],
  ["causal", 2, 2, 9, 9, true],
  ["cross", 3, 3, 17, 7, false],
  ["cross with shared keys", 3, 1, 16, 77, false],
];
for (const [name, batch, keyBatch, queries, keys, causal] of attentions) {
  cases[`attention: ${name}`] = {
    run: withGradients(
      (q, k, v) =>
        scaledDotProductAttention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { heads: 3, causal }),
      [batch, queries, 24],
      [keyBatch, keys, 24],
      [keyBatch, keys, 24],
    ),
    ...near,
  };
}
for (const factor of [2, 3]) {
  cases[`upsampling by ${factor}`] = {
    run: withGradients((x) => upsampleNearest2d(x as tf.Tensor4D, factor), [2, 3, 4, 5]),
    ...near,
  };
}

await describeAgainstCpu("fused kernels", cases, { schedules: "all" });
