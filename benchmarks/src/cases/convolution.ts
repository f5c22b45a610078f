import { conv2d } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, forwardAndBackward, opCase } from "../case.js";

const batch = 8;
const geometry = { strides: 1, pad: "same", dataFormat: "NHWC", dimRoundingMode: null };

const kernel = (name: string, inputs: Record<string, tf.Tensor>, attrs: object) =>
  tf.engine().runKernel(name, inputs, attrs as tf.NamedAttrMap) as tf.Tensor;

/** 3x3 as in a UNet's residual blocks, each gradient by itself and all together. */
function residual(channels: number, side: number): Case[] {
  const name = `conv2d 3x3 [${batch}, ${side}, ${side}, ${channels}]`;
  const image = [batch, side, side, channels];
  const filter = [3, 3, channels, channels];
  const flops = 2 * batch * side ** 2 * 9 * channels ** 2;
  const [forward, both] = forwardAndBackward({
    name,
    shapes: [image, filter],
    output: image,
    ours: (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same"),
    goals: { both: 4 },
    flops,
    bothFlops: 3 * flops,
  });
  const inputGradient = opCase({
    name: `${name} gradient of the input`,
    shapes: [image, filter],
    ours: (dy, w) => kernel("Conv2DBackpropInput", { dy, filter: w }, { ...geometry, inputShape: image }),
    flops,
  });
  const filterGradient = opCase({
    name: `${name} gradient of the filter`,
    shapes: [image, image],
    ours: (x, dy) => kernel("Conv2DBackpropFilter", { x, dy }, { ...geometry, filterShape: filter }),
    flops,
  });
  return [forward, inputGradient, filterGradient, both];
}

function pointwise(channels: number, side: number): Case[] {
  const image = [batch, side, side, channels];
  const flops = 2 * batch * side ** 2 * channels ** 2;
  return forwardAndBackward({
    name: `conv2d 1x1 [${batch}, ${side}, ${side}, ${channels}]`,
    shapes: [image, [1, 1, channels, channels]],
    output: image,
    ours: (x, w) => conv2d(x as tf.Tensor4D, w as tf.Tensor4D),
    stock: (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "valid"),
    goals: { both: 4 },
    flops,
    bothFlops: 3 * flops,
  });
}

export const convolutionCases: Case[] = [
  residual(64, 32),
  residual(128, 16),
  residual(320, 8),
  pointwise(64, 32),
  pointwise(320, 8),
].flat();
