import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";

const normal = (seed: number, ...shape: number[]) =>
  tf.tensor(normalArray(seed, tf.util.sizeFromShape(shape)), shape);
const complex = (seed: number, ...shape: number[]) =>
  tf.complex(normal(seed, ...shape), normal(seed + 100, ...shape));
const indices = (...values: number[]) => tf.tensor1d(values, "int32");

const cases: Record<string, Computation | Case> = {
  "complex, real, imag, abs": () => {
    const x = complex(1, 3, 5);
    return [x, tf.real(x), tf.imag(x), tf.abs(x)];
  },
  "abs of the smallest and the largest": {
    run: () => tf.abs(tf.complex([3e-30, 3e30, 0, -5], [4e-30, 4e30, 0, 0])),
    relative: 1e-6,
    absolute: 0,
  },
  "add, sub, mul": () => [
    tf.add(complex(1, 3, 5), complex(2, 3, 5)),
    tf.sub(complex(1, 3, 5), complex(2, 3, 5)),
    tf.mul(complex(1, 3, 5), complex(2, 3, 5)),
  ],
  "mul of broadcast operands": () => tf.mul(complex(1, 3, 1, 5), complex(2, 4, 1)),
  "add and mul of a real operand": () => [
    tf.add(complex(1, 3, 5), normal(2, 3, 5)),
    tf.mul(normal(2, 3, 5), complex(1, 3, 5)),
  ],
  "zerosLike, onesLike, clone, reshape, expandDims": () => {
    const x = complex(1, 4, 3);
    return [tf.zerosLike(x), tf.onesLike(x), tf.clone(x), tf.reshape(x, [2, 6]), tf.expandDims(x, 1)];
  },
  "cast to and from": () => [
    tf.cast(complex(1, 7), "float32"),
    tf.cast(complex(1, 7), "int32"),
    tf.cast(normal(1, 7), "complex64"),
    tf.cast(indices(1, -2, 3), "complex64"),
    tf.cast(complex(1, 7), "complex64"),
  ],
  "zeros, ones, and nothing": () => [
    tf.zeros([3], "complex64"),
    tf.ones([2, 2], "complex64"),
    complex(1, 0, 3),
  ],
  "pad with a real value": () => {
    if (tf.getBackend() !== "cpu")
      return tf.pad(
        complex(1, 2, 3),
        [
          [1, 0],
          [0, 2],
        ],
        0.5,
      );
    const [re, im] = [0.5, 0].map((value, i) =>
      tf.pad(
        normal(1 + 100 * i, 2, 3),
        [
          [1, 0],
          [0, 2],
        ],
        value,
      ),
    );
    return tf.complex(re, im);
  },
};

/** Ops that act on each part alone, each beside its definition by parts. */
const onParts: Record<string, (x: tf.Tensor, y: tf.Tensor) => tf.Tensor> = {
  slice: (x) => tf.slice(x, [1, 0], [2, 4]),
  "slice of all": (x) => tf.slice(x, [0, 0]),
  stridedSlice: (x) => tf.stridedSlice(x, [0, 3], [4, 0], [2, -1]),
  concat: (x, y) => tf.concat([x, y], 1),
  stack: (x, y) => tf.stack([x, y], 1),
  unstack: (x) => tf.unstack(x, 1)[2],
  split: (x) => tf.split(x, 2, 0)[1],
  transpose: (x) => tf.transpose(x, [1, 0]),
  reverse: (x) => tf.reverse(x, 0),
  tile: (x) => tf.tile(x, [2, 1]),
  broadcastTo: (x) => tf.broadcastTo(x, [3, 4, 6]),
  gather: (x) => tf.gather(x, indices(3, 0, 0)),
  gatherND: (x) =>
    tf.gatherND(
      x,
      tf.tensor2d(
        [
          [1, 2],
          [3, 5],
        ],
        [2, 2],
        "int32",
      ),
    ),
  where: (x, y) => tf.where(tf.greater(normal(9, 4, 6), 0), x, y),
  scatterND: (x) => tf.scatterND(tf.tensor2d([4, 1, 1, 0], [4, 1], "int32"), x, [5, 6]),
  unsortedSegmentSum: (x) => tf.unsortedSegmentSum(x, indices(2, 0, 2, 1), 3),
  neg: (x) => tf.neg(x),
  addN: (x, y) => tf.addN([x, y, x]),
  sum: (x) => tf.sum(x, 1),
  mean: (x) => tf.mean(x, 0),
  cumsum: (x) => tf.cumsum(x, 1),
};
for (const [name, f] of Object.entries(onParts)) {
  cases[name] = () => {
    if (tf.getBackend() !== "cpu") return f(complex(1, 4, 6), complex(2, 4, 6));
    return tf.complex(f(normal(1, 4, 6), normal(2, 4, 6)), f(normal(101, 4, 6), normal(102, 4, 6)));
  };
}

await describeAgainstCpu("kernels of complex tensors", cases);
