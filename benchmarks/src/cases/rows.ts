import * as tf from "@tensorflow/tfjs-core";
import { type Case, forwardAndBackward, opCase } from "../case.js";

const table = [4096, 256];

const reduction = (name: string, shape: number[], ours: (x: tf.Tensor) => tf.Tensor): Case =>
  opCase({ name: `${name} [${shape.join(", ")}]`, shapes: [shape], ours });

/** Softmax, reductions and transposes: what reads rows or columns of a table. */
export const rowCases: Case[] = [
  ...forwardAndBackward({
    name: "softmax [4096, 256]",
    shapes: [table],
    output: table,
    ours: (x) => tf.softmax(x),
  }),
  reduction("sum of all", table, (x) => tf.sum(x)),
  reduction("sum along rows", table, (x) => tf.sum(x, 1)),
  reduction("sum along columns", table, (x) => tf.sum(x, 0)),
  reduction("mean of images", [8, 32, 32, 64], (x) => tf.mean(x, [1, 2])),
  reduction("max along rows", table, (x) => tf.max(x, 1)),
  reduction("transpose", [32, 256, 256], (x) => tf.transpose(x, [0, 2, 1])),
  reduction("transpose heads", [16, 64, 8, 64], (x) => tf.transpose(x, [0, 2, 1, 3])),
];
