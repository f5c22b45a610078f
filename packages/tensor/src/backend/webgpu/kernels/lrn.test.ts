import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";

const normal = (...shape: number[]) => tf.tensor(normalArray(4, tf.util.sizeFromShape(shape)), shape);

const cases: Record<string, Computation> = {};
for (const [radius, bias, alpha, beta] of [
  [1, 1, 1, 0.5],
  [2, 0.5, 0.3, 0.75],
  [9, 2, 0.1, 1.5],
  [0, 1, 2, 0.5],
]) {
  const normalize = (x: tf.Tensor) =>
    tf.localResponseNormalization(x as tf.Tensor4D, radius, bias, alpha, beta);
  cases[`radius ${radius}, bias ${bias}, alpha ${alpha}, beta ${beta}`] = () => [
    normalize(normal(2, 3, 4, 7)),
    tf.grad((x) => tf.mul(0.5, tf.sum(tf.square(normalize(x)))))(normal(2, 3, 4, 7)),
  ];
}

await describeAgainstCpu("local response normalization", cases);
