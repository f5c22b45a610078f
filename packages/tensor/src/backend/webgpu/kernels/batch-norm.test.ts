import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, describeAgainstCpu } from "../../../../test/against-cpu.js";

const normal = (...shape: number[]) =>
  tf.tensor(normalArray(shape.length + 4, tf.util.sizeFromShape(shape)), shape);

const cases: Record<string, Case> = {};
for (const [name, x, statistics] of [
  ["per channel", [2, 3, 5, 8], [8]],
  ["odd channels", [4, 7], [7]],
  ["per element", [2, 3, 5], [2, 3, 5]],
] as [string, number[], number[]][]) {
  const run = (input: tf.Tensor, mean: tf.Tensor, offset?: tf.Tensor, scale?: tf.Tensor) =>
    tf.batchNorm(
      input,
      mean as tf.Tensor1D,
      tf.square(tf.add(mean, 1)) as tf.Tensor1D,
      offset as tf.Tensor1D,
      scale as tf.Tensor1D,
      0.1,
    );
  const values = (count: number) => Array.from({ length: count }, () => normal(...statistics));
  cases[name] = { run: () => run(normal(...x), normal(...statistics)), absolute: 1e-5 };
  cases[`${name}, scaled and moved, with gradients`] = {
    run: () => {
      const [mean, offset, scale] = values(3);
      const all = [normal(...x), mean, offset, scale];
      const energy = (...inputs: tf.Tensor[]) =>
        tf.mul(0.5, tf.sum(tf.square(run(inputs[0], inputs[1], inputs[2], inputs[3]))));
      return [run(normal(...x), mean, offset, scale), ...tf.grads(energy)(all)];
    },
    relative: 1e-4,
    absolute: 1e-3,
  };
}

await describeAgainstCpu("batch normalization", cases);
