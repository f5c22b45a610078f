import { numpy } from "@jax-js/jax";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, opCase } from "../case.js";

const square = (n: number): Case =>
  opCase({
    name: `matmul ${n}`,
    goal: 4,
    flops: 2 * n ** 3,
    shapes: [
      [n, n],
      [n, n],
    ],
    ours: (a, b) => tf.matMul(a, b),
    jax: {
      shapes: [
        [n, n],
        [n, n],
      ],
      run: (a, b) => numpy.matmul(a, b),
    },
  });

/** The products of a linear layer: `x W^T`, and its gradients `dy W` and `dy^T x`. */
const product = (name: string, a: number[], b: number[], transposeA: boolean, transposeB: boolean): Case =>
  opCase({
    name: `matmul ${name}`,
    goal: 4,
    flops: 2 * tf.util.sizeFromShape(a) * (transposeB ? b[0] : b[1]),
    shapes: [a, b],
    ours: (x, y) => tf.matMul(x, y, transposeA, transposeB),
  });

export const matmulCases: Case[] = [
  square(256),
  square(512),
  square(1024),
  product("linear [2304, 64] by [256, 64]^T", [2304, 64], [256, 64], false, true),
  product("linear [2304, 256] by [256, 64], gradient of the input", [2304, 256], [256, 64], false, false),
  product("linear [2304, 256]^T by [2304, 64], gradient of the weight", [2304, 256], [2304, 64], true, false),
];
