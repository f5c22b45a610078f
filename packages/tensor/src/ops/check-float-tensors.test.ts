import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { expect, it } from "vitest";
import { Random } from "../random.js";
import { l2Normalize } from "../shared/l2-normalize.js";
import { gelu, silu } from "./activation.js";
import { scaledDotProductAttention } from "./attention.js";
import { conv2d } from "./conv2d.js";
import { dropout } from "./dropout.js";
import { geglu } from "./geglu.js";
import { groupNorm } from "./group-norm.js";
import { layerNorm } from "./layer-norm.js";
import { linear } from "./linear.js";

const one = tf.ones([4]) as tf.Tensor1D;
const ops: Record<string, (x: never) => tf.Tensor> = {
  gelu,
  silu,
  geglu,
  l2Normalize,
  layerNorm: (x) => layerNorm(x, null, null),
  groupNorm: (x) => groupNorm(x, one, one, { groups: 2 }),
  dropout: (x) => dropout(x, { rate: 0.5, random: new Random(0) }),
  linear: (x) => linear(x, tf.ones([2, 4])),
  conv2d: (x) => conv2d(x, tf.ones([1, 1, 4, 2])),
};

it.each(Object.entries(ops))("%s refuses what is no tensor of float32, by name", (name, op) => {
  for (const dtype of ["int32", "bool"] as const) {
    const x = tf.zeros([1, 1, 1, 4], dtype) as never;
    expect(() => tf.tidy(() => op(x))).toThrow(
      `${name}: x must be float32, got ${dtype} [1,1,1,4]; use tf.cast(x, "float32")`,
    );
  }
  expect(() => op([1, 2] as never)).toThrow(`${name}: x must be a tensor, got`);
  expect(() => op(undefined as never)).toThrow(`${name}: x must be a tensor, got undefined`);
});

it("names the operand of an op of several", () => {
  const [x, whole] = [tf.zeros([1, 1, 4]), tf.zeros([1, 1, 4], "int32")] as tf.Tensor3D[];
  expect(() => scaledDotProductAttention(x, whole, x, { heads: 1 })).toThrow(
    "scaledDotProductAttention: key must be float32, got int32 [1,1,4]",
  );
  expect(() => layerNorm(x, one, tf.zeros([4], "int32"))).toThrow("layerNorm: bias must be float32");
});
