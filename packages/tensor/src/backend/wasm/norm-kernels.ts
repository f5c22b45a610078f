import * as tf from "@tensorflow/tfjs-core";
import type { Kernel } from "./kernel.js";
import { moved } from "./simd-kernels.js";

const size = tf.util.sizeFromShape;

const layerNorm: Kernel = ({ inputs, attrs, split, at, output }) => {
  const { x, weight, bias } = inputs;
  const dim = x.shape.at(-1)!;
  const rows = size(x.shape) / dim;
  const outputs = [output(x.shape), output([rows]), output([rows])];
  const [y, mean, rstd] = outputs.map(at);
  split.run("layerNorm", { size: rows, work: 4 * dim }, (from, count) => [
    ...[count, dim, attrs.epsilon, at(x) + 4 * from * dim, at(weight), at(bias), y + 4 * from * dim],
    ...moved([mean, rstd], from),
  ]);
  return outputs;
};

const layerNormGradInput: Kernel = ({ inputs, split, at, output }) => {
  const { x, weight, mean, rstd, dy } = inputs;
  const dim = x.shape.at(-1)!;
  const dx = output(x.shape);
  split.run("layerNormGradInput", { size: size(x.shape) / dim, work: 4 * dim }, (from, count) => [
    ...[count, dim, at(x) + 4 * from * dim, at(weight)],
    ...moved([mean, rstd].map(at), from),
    ...moved([dy, dx].map(at), from * dim),
  ]);
  return dx;
};

const layerNormGradWeight: Kernel = ({ inputs, split, at, output }) => {
  const { x, mean, rstd, dy } = inputs;
  const dim = x.shape.at(-1)!;
  const dw = output([dim]);
  const extent = { size: size(x.shape) / dim, work: 2 * dim, scratch: 12 * dim };
  split.sum("layerNormGradWeight", extent, dim, at(dw), (from, count, scratch, to) => [
    ...[count, dim, at(x) + 4 * from * dim],
    ...moved([mean, rstd].map(at), from),
    ...[at(dy) + 4 * from * dim, to, scratch],
  ]);
  return dw;
};

const groupNorm: Kernel = ({ inputs, attrs, split, at, output }) => {
  const { x, weight, bias } = inputs;
  const [batch, height, width, channels] = x.shape;
  const { groups, epsilon, silu } = attrs;
  const image = height * width * channels;
  const outputs = [output(x.shape), output([batch, groups]), output([batch, groups])];
  const [y, mean, rstd] = outputs.map(at);
  split.run("groupNorm", { size: batch, work: 4 * image, scratch: 12 * channels }, (from, count, scratch) => [
    ...[count, height * width, channels, groups, epsilon, silu ? 1 : 0],
    ...[at(x) + 4 * from * image, at(weight), at(bias), y + 4 * from * image],
    ...moved([mean, rstd], from * groups),
    scratch,
  ]);
  return outputs;
};

const groupNormGradient =
  (which: "x" | "weight" | "bias"): Kernel =>
  ({ inputs, attrs, split, at, output }) => {
    const { x, weight, bias, mean, rstd, dy } = inputs;
    const [batch, height, width, channels] = x.shape;
    const { groups, silu } = attrs;
    const image = height * width * channels;
    const gradient = output(inputs[which].shape);
    const extent = { size: batch, work: 8 * image, scratch: 4 * (7 * channels + image + 24) };
    const args = (from: number, count: number, scratch: number, to: number) => [
      ...[count, height * width, channels, groups, silu ? 1 : 0],
      ...[at(x) + 4 * from * image, at(weight), at(bias)],
      ...moved([mean, rstd].map(at), from * groups),
      at(dy) + 4 * from * image,
      ...(["x", "weight", "bias"] as const).map((name) => (name === which ? to : 0)),
      scratch,
    ];
    if (which !== "x") split.sum("groupNormGradient", extent, channels, at(gradient), args);
    else {
      split.run("groupNormGradient", extent, (from, count, scratch) =>
        args(from, count, scratch, at(gradient) + 4 * from * image),
      );
    }
    return gradient;
  };

export const normKernels: Record<string, Kernel> = {
  LayerNorm: layerNorm,
  LayerNormGradInput: layerNormGradInput,
  LayerNormGradWeight: layerNormGradWeight,
  GroupNorm: groupNorm,
  GroupNormGradInput: groupNormGradient("x"),
  GroupNormGradWeight: groupNormGradient("weight"),
  GroupNormGradBias: groupNormGradient("bias"),
};
