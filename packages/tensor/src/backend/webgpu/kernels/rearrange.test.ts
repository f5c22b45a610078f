import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = <R extends tf.Rank>(...shape: number[]) => normalTensor<R>(8, shape);

// Moves copy bits.
const moved = (run: Computation): Case => ({ run, relative: 0, absolute: 0 });
const pairs: [number, number][] = [
  [1, 2],
  [2, 1],
];
const computations: Record<string, Computation> = {
  "space to batch": () =>
    tf.spaceToBatchND(
      normal(2, 4, 6, 3),
      [2, 3],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  "space to batch, padded": () => tf.spaceToBatchND(normal(1, 5, 6, 2), [4, 3], pairs),
  "space to batch along one axis": () => tf.spaceToBatchND(normal(2, 4, 3), [2], [[0, 0]]),
  "batch to space": () =>
    tf.batchToSpaceND(
      normal(6, 2, 3, 2),
      [2, 3],
      [
        [0, 0],
        [0, 0],
      ],
    ),
  "batch to space, cropped": () => tf.batchToSpaceND(normal(6, 3, 4, 2), [2, 3], pairs),
  "batch to space along one axis": () => tf.batchToSpaceND(normal(4, 3, 5), [2], [[1, 0]]),
  "depth to space": () => tf.depthToSpace(normal(2, 3, 2, 12), 2, "NHWC"),
  "depth to space by three": () => tf.depthToSpace(normal(1, 2, 3, 9), 3, "NHWC"),
  // tfjs's cpu backend knows channels last only.
  "depth to space, channels first": () =>
    tf.getBackend() === "cpu"
      ? tf.transpose(
          tf.depthToSpace(tf.transpose(normal<tf.Rank.R4>(2, 12, 3, 2), [0, 2, 3, 1]), 2),
          [0, 3, 1, 2],
        )
      : tf.depthToSpace(normal(2, 12, 3, 2), 2, "NCHW"),
  "left to right": () => tf.image.flipLeftRight(normal(2, 3, 5, 4)),
  "mirrored within the edge": () =>
    tf.mirrorPad(
      normal(4, 5),
      [
        [3, 2],
        [1, 4],
      ],
      "reflect",
    ),
  "mirrored with the edge": () =>
    tf.mirrorPad(
      normal(2, 3, 4),
      [
        [2, 1],
        [0, 3],
        [4, 0],
      ],
      "symmetric",
    ),
  "mirrored int32": () => tf.mirrorPad(tf.tensor1d([1, 2, 3], "int32"), [[2, 2]], "reflect"),
};
const cases: Record<string, Case> = {};
for (const [name, run] of Object.entries(computations)) cases[name] = moved(run);
for (const name of ["space to batch, padded", "batch to space, cropped"]) {
  const op = name.startsWith("space") ? tf.spaceToBatchND : tf.batchToSpaceND;
  const shape = name.startsWith("space") ? [1, 5, 6, 2] : [6, 3, 4, 2];
  const block = name.startsWith("space") ? [4, 3] : [2, 3];
  cases[`${name}: gradient`] = {
    run: () => tf.grad((x) => tf.sum(tf.square(op(x, block, pairs))))(normal(...shape)),
  };
}

await describeAgainstCpu("rearranging", cases);
