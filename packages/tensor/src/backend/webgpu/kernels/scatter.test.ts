import { normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";

const normal = (...shape: number[]) =>
  tf.tensor(normalArray(shape.length + 5, tf.util.sizeFromShape(shape)), shape);
const ints = (values: number[], ...shape: number[]) => tf.tensor(values, shape, "int32");

const cases: Record<string, Computation> = {
  "scatterND of elements, one of them twice": () => tf.scatterND(ints([4, 1, 7, 4], 4, 1), normal(4), [8]),
  "scatterND of rows": () => tf.scatterND(ints([2, 0, 2], 3, 1), normal(3, 5), [4, 5]),
  "scatterND into more rows than there are updates": () =>
    tf.scatterND(ints([30, 2, 30], 3, 1), normal(3, 5), [40, 5]),
  "scatterND by two axes": () => tf.scatterND(ints([2, 1, 0, 3, 2, 1], 3, 2), normal(3, 2), [3, 4, 2]),
  "scatterND of int32": () => tf.scatterND(ints([1, 1], 2, 1), ints([3, 4], 2), [3]),
  "scatterND by indices of a batch": () => tf.scatterND(ints([0, 2, 1, 0], 2, 2, 1), normal(2, 2, 3), [4, 3]),
  "tensorScatterUpdate, of two for one place the last": () =>
    tf.tensorScatterUpdate(normal(4, 3), ints([1, 3, 1], 3, 1), normal(3, 3)),
  "tensorScatterUpdate of elements": () =>
    tf.tensorScatterUpdate(ints([1, 2, 3, 4], 2, 2), ints([0, 1, 1, 0], 2, 2), ints([9, 8], 2)),
  "sparseToDense with a default": () => tf.sparseToDense(ints([0, 2, 5], 3), normal(3), [7], tf.scalar(-1)),
  "sparseToDense of one value for all": () =>
    tf.sparseToDense(ints([0, 1, 2, 2], 2, 2), tf.scalar(5), [3, 3], tf.scalar(0)),
  "sparseToDense of bools": () =>
    tf.sparseToDense(ints([0, 3], 2), tf.tensor1d([true, false], "bool"), [5], tf.scalar(true, "bool")),
  "sparseToDense of strings": () =>
    tf.sparseToDense(ints([0, 3], 2), tf.tensor1d(["a", "b"]), [5], tf.scalar("-")),
};

await describeAgainstCpu("scatters", cases);
