import { gelu, silu } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, forwardAndBackward, opCase } from "../case.js";

const many = [2 ** 20];

/** More elements than what tfjs-backend-webgpu computes on the host. */
const few = [4096];

const repeat = (times: number, f: (y: tf.Tensor) => tf.Tensor) => (x: tf.Tensor) => {
  let y = x;
  for (let i = 0; i < times; i++) y = f(y);
  return y;
};

export const elementwiseCases: Case[] = [
  ...forwardAndBackward({
    name: "gelu [2^20]",
    shapes: [many],
    output: many,
    ours: (x) => gelu(x),
    stock: (x) => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2)))),
  }),
  ...forwardAndBackward({
    name: "silu [2^20]",
    shapes: [many],
    output: many,
    ours: (x) => silu(x),
    stock: (x) => tf.mul(x, tf.sigmoid(x)),
  }),
  opCase({ name: "add [2^20]", shapes: [many, many], ours: (a, b) => tf.add(a, b) }),
  opCase({ name: "add bias [4096, 256]", shapes: [[4096, 256], [256]], ours: (x, bias) => tf.add(x, bias) }),
  opCase({
    name: "chain of 10 ops [2^20]",
    shapes: [many],
    ours: (x) => repeat(5, (y) => tf.tanh(tf.mul(y, 0.9)))(x),
  }),
  opCase({
    name: "chain of 200 ops [4096]",
    shapes: [few],
    ours: (x) => repeat(100, (y) => tf.add(tf.mul(y, 0.9), x))(x),
  }),
];
