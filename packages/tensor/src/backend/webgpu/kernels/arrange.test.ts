import * as tf from "@tensorflow/tfjs-core";
import { type Case, type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { normalTensor } from "../../../../test/normal-tensor.js";

const normal = <R extends tf.Rank>(...shape: number[]) => normalTensor<R>(shape.length + 3, shape);
const ints = (values: number[], shape = [values.length]) => tf.tensor(values, shape, "int32");

// Moves copy bits.
const moved = (run: Computation): Case => ({ run, relative: 0, absolute: 0 });
const cases: Record<string, Computation | Case> = {};
const perms: number[][] = [
  [1, 0],
  [0, 2, 1],
  [2, 0, 1],
  [0, 2, 1, 3],
  [3, 2, 1, 0],
  [0, 3, 1, 2],
  [4, 1, 0, 3, 2],
];
for (const perm of perms) {
  const shape = [3, 4, 5, 6, 2].slice(0, perm.length);
  cases[`transpose [${perm}]`] = moved(() => tf.transpose(normal(...shape), perm));
}
for (const [name, run] of Object.entries<Computation>({
  "transpose in blocks": () => tf.transpose(normal(8, 12)),
  "transpose in blocks, in batches": () => tf.transpose(normal(3, 8, 12), [0, 2, 1]),
  "transpose in blocks across a middle axis": () => tf.transpose(normal(8, 5, 12), [2, 1, 0]),
  "transpose of unit axes": () => tf.transpose(normal(1, 5, 1), [2, 1, 0]),
  "transpose of int32 and bool": () => [
    tf.transpose(ints([1, 2, 3, 4, 5, 6], [2, 3])),
    tf.transpose(tf.greater(normal(3, 5), 0)),
  ],
  slice: () => tf.slice(normal(4, 5, 6), [1, 2, 3], [2, 3, 3]),
  "slice of rows": () => tf.slice(normal(6, 8), [2, 0], [3, 8]),
  "slice of nothing": () => tf.slice(normal(4, 5), [1, 0], [0, 5]),
  "strided slice": () => tf.stridedSlice(normal(7, 8), [1, 6], [7, 0], [2, -2]),
  "strided slice with masks": () => tf.stridedSlice(normal(7, 8), [1, 2], [5, 6], [1, 1], 1, 2, 0, 0, 0),
  "strided slice that drops an axis": () =>
    tf.stridedSlice(normal(7, 8), [1, 2], [2, 6], [1, 1], 0, 0, 0, 0, 1),
  reverse: () => tf.reverse(normal(3, 4, 5), [0, 2]),
  "flip of images": () => tf.image.flipLeftRight(normal<tf.Rank.R4>(2, 3, 5, 2)),
  diag: () => [tf.diag(normal(5)), tf.diag(normal(2, 3)), tf.diag(ints([3, 4]))],
  tile: () => tf.tile(normal(2, 3, 1), [2, 1, 4]),
  broadcastTo: () => tf.broadcastTo(normal(3, 1), [2, 3, 5]),
  pad: () =>
    tf.pad(
      normal(2, 3, 4),
      [
        [1, 0],
        [0, 2],
        [1, 1],
      ],
      0.5,
    ),
  "pad of nothing": () =>
    tf.pad(
      normal(0, 2),
      [
        [1, 1],
        [0, 0],
      ],
      2,
    ),
  "concat along rows": () => tf.concat([normal(2, 4), normal(3, 4), normal(1, 4)], 0),
  "concat along columns": () => tf.concat([normal(2, 4), normal(2, 3), normal(2, 8)], 1),
  "concat of many vectors": () => tf.concat(Array.from({ length: 19 }, (_, i) => normal(i + 1))),
  "concat of whole vec4s along columns": () =>
    tf.concat(
      [4, 8, 12, 4].map((n) => normal(3, 2, n)),
      2,
    ),
  "concat of small and large": () => tf.concat([8, 9000, 30000, 16, 16, 40000, 4].map((n) => normal(n))),
  "concat of integers": () => tf.concat([[1, 2], [3], [4, 5]].map((values) => tf.tensor1d(values, "int32"))),
  "stack of empty tensors": () => tf.stack([tf.zeros([0, 3]), tf.zeros([0, 3])]),
  "concat of several dtypes": () => [
    tf.concat([tf.tensor1d([1.5, -2]), ints([2]), tf.tensor1d([true], "bool")]),
    tf.concat([ints([2]), tf.tensor1d([1.5, -2])]),
  ],
  "concat with an empty part": () => tf.concat([normal(0, 4), normal(3, 4)], 0),
  stack: () => tf.stack([normal(2, 3), normal(2, 3), normal(2, 3)], 1),
  unstack: () => tf.unstack(normal(3, 4, 2), 1),
  split: () => tf.split(normal(6, 5), [1, 2, 3], 0),
  "expandDims, squeeze, reshape": () => [
    tf.expandDims(normal(3, 4), 1),
    tf.squeeze(normal(3, 1, 4)),
    tf.reshape(normal(3, 4), [2, -1]),
  ],
  "band part": () => tf.linalg.bandPart(normal(5, 6), 1, 2),
  "gather of rows": () => tf.gather(normal(7, 5), ints([6, 0, 3, 3])),
  "gather along columns": () => tf.gather(normal(3, 7), ints([6, 0, 3, 3], [2, 2]), 1),
  "gather in batches": () => tf.gather(normal(2, 5, 3), ints([4, 0, 1, 1], [2, 2]), 1, 1),
  gatherND: () => tf.gatherND(normal(4, 5, 3), ints([3, 4, 0, 0, 1, 2], [3, 2])),
  oneHot: () => [tf.oneHot(ints([2, 0, 5, -1]), 4), tf.oneHot(ints([1, 2], [2, 1]), 3, 2, -1, "float32")],
  topk: () => {
    const { values, indices } = tf.topk(normal(3, 17), 5);
    return [values, indices];
  },
  "topk of ties": () => {
    const { values, indices } = tf.topk(tf.tensor([1, 3, 3, 2, 3]), 4);
    return [values, indices];
  },
  "argMax and argMin": () => [
    tf.argMax(normal(4, 5, 6), 1),
    tf.argMin(normal(4, 5, 6), -1),
    tf.argMax(normal(9)),
  ],
  upsampling: () => tf.image.resizeNearestNeighbor(normal<tf.Rank.R4>(2, 3, 4, 3), [6, 8]),
  "nearest neighbour": () => tf.image.resizeNearestNeighbor(normal<tf.Rank.R4>(1, 7, 5, 2), [4, 9], true),
})) {
  cases[name] = moved(run);
}
Object.assign(cases, {
  "segment sum, few segments": () =>
    tf.unsortedSegmentSum(normal(9, 5), ints([0, 2, 2, 1, 0, 2, 1, 1, 5]) as tf.Tensor1D, 4),
  "segment sum, many segments": () =>
    tf.unsortedSegmentSum(normal(5, 3), ints([9, 2, 9, 40, 2]) as tf.Tensor1D, 30),
  "gather's gradient": () => tf.grad((x) => tf.sum(tf.square(tf.gather(x, ints([1, 1, 4])))))(normal(6, 5)),
  cumsum: () => [
    tf.cumsum(normal(3, 7), 1),
    tf.cumsum(normal(3, 7), 0, true),
    tf.cumsum(normal(3, 7), 1, false, true),
    tf.cumsum(normal(3, 7), 1, true, true),
  ],
  cumprod: () => tf.cumprod(normal(3, 7), 1),
  bilinear: () => tf.image.resizeBilinear(normal<tf.Rank.R4>(2, 5, 7, 3), [8, 4]),
  "bilinear, corners aligned": () => tf.image.resizeBilinear(normal<tf.Rank.R4>(2, 5, 7, 3), [8, 4], true),
  "bilinear, half-pixel centres": () =>
    tf.image.resizeBilinear(normal<tf.Rank.R4>(2, 5, 7, 3), [8, 4], false, true),
  einsum: () => [
    tf.einsum("ij,jk->ik", normal(3, 4), normal(4, 5)),
    tf.einsum("bij,bjk->bik", normal(2, 3, 4), normal(2, 4, 5)),
    tf.einsum("ij->j", normal(3, 4)),
    tf.einsum("i,j->ij", normal(3), normal(4)),
  ],
});

await describeAgainstCpu("kernels that move and pick", cases);
