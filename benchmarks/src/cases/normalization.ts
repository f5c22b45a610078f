import { groupNorm, layerNorm } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, forwardAndBackward } from "../case.js";

const epsilon = 1e-5;

const normalize = (x: tf.Tensor, axes: number[]) => {
  const { mean, variance } = tf.moments(x, axes, true);
  return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon)));
};

function groupNormSilu(channels: number, side: number): Case[] {
  const groups = 32;
  const image = [8, side, side, channels];
  return forwardAndBackward({
    name: `groupNorm+SiLU [${image.join(", ")}], ${groups} groups`,
    shapes: [image, [channels], [channels]],
    output: image,
    ours: (x, weight, bias) =>
      groupNorm(x as tf.Tensor4D, weight as tf.Tensor1D, bias as tf.Tensor1D, {
        groups,
        epsilon,
        activation: "silu",
      }),
    stock: (x, weight, bias) => {
      const grouped = tf.reshape(x, [image[0], side * side, groups, channels / groups]);
      const y = tf.add(tf.mul(tf.reshape(normalize(grouped, [1, 3]), image), weight), bias);
      return tf.mul(y, tf.sigmoid(y));
    },
  });
}

function layerNormCases(rows: number, width: number): Case[] {
  return forwardAndBackward({
    name: `layerNorm [${rows}, ${width}]`,
    shapes: [[rows, width], [width], [width]],
    output: [rows, width],
    ours: (x, weight, bias) => layerNorm(x, weight as tf.Tensor1D, bias as tf.Tensor1D, { epsilon }),
    stock: (x, weight, bias) => tf.add(tf.mul(normalize(x, [1]), weight), bias),
  });
}

export const normalizationCases: Case[] = [
  groupNormSilu(64, 32),
  groupNormSilu(320, 8),
  layerNormCases(4096, 256),
  layerNormCases(1024, 96),
].flat();
