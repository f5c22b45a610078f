import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Computation, describeAgainstCpu } from "../../../../test/against-cpu.js";
import { webgpuDevice } from "../../../../test/test-backends.js";
import { backendName } from "../backend-name.js";
import { registerWebGPUBackend } from "../register-backend.js";

const ints = (...values: number[]) => tf.tensor1d(values, "int32");
const words = () =>
  tf.tensor2d([
    ["a", "bc"],
    ["def", "a"],
    ["g", "häé"],
  ]) as tf.Tensor;
const boxes = () =>
  tf.tensor2d([
    [0, 0, 1, 1],
    [0, 0.1, 1, 1.1],
    [0, 10, 1, 11],
    [0, 10.1, 1, 11.1],
  ]);
const scores = () => tf.tensor1d([0.9, 0.75, 0.6, 0.95]);

const cases: Record<string, Computation> = {
  "moves of strings": () => [
    tf.slice(words(), [1, 0], [2, 1]),
    tf.concat([words(), words()], 1),
    tf.stack([words(), words()]),
    ...tf.unstack(words()),
    tf.stridedSlice(words(), [2, 0], [0, 2], [-1, 1]),
    tf.gatherND(
      words(),
      tf.tensor2d(
        [
          [1, 1],
          [0, 0],
        ],
        [2, 2],
        "int32",
      ),
    ),
    tf.tile(words(), [2, 1]),
    tf.expandDims(words(), 1),
    tf.reshape(words(), [6]),
    tf.fill([2, 2], "x"),
  ],
  "comparisons of strings": () => [
    tf.equal(words(), tf.tensor1d(["a", "a"])),
    tf.notEqual(words(), tf.scalar("a")),
    tf.less(words(), tf.scalar("b")),
  ],
  "string ops": () => {
    const { nGrams, nGramsSplits } = tf.string.stringNGrams(
      tf.tensor1d(["a", "b", "c", "d"]),
      ints(0, 3, 4),
      "|",
      [2],
      "LP",
      "RP",
      -1,
      false,
    ) as { nGrams: tf.Tensor; nGramsSplits: tf.Tensor };
    const split = tf.string.stringSplit(tf.tensor1d(["a b", "c"]), " ") as Record<string, tf.Tensor>;
    return [
      nGrams,
      nGramsSplits,
      ...Object.values(split),
      tf.string.stringToHashBucketFast(words(), 10),
      tf.string.staticRegexReplace(words(), "a", "z"),
    ];
  },
  unique: () => {
    const { values, indices } = tf.unique(tf.tensor1d([3, 1, 3, 2, 1]));
    return [values, indices];
  },
  "unique of strings": () => tf.unique(tf.reshape(words(), [6])).values,
  "non-maximum suppression": () => {
    const soft = tf.image.nonMaxSuppressionWithScore(boxes(), scores(), 3, 0.5, 0, 0.5);
    const padded = tf.image.nonMaxSuppressionPadded(boxes(), scores(), 4, 0.5, 0, true);
    return [
      tf.image.nonMaxSuppression(boxes(), scores(), 3),
      ...Object.values(soft),
      ...Object.values(padded),
    ];
  },
  sparse: () => {
    const indices = tf.tensor2d(
      [
        [0, 0],
        [2, 1],
      ],
      [2, 2],
      "int32",
    );
    const filled = tf.sparse.sparseFillEmptyRows(indices, tf.tensor1d([5, 6]), ints(4, 2), tf.scalar(-1));
    const reshaped = tf.sparse.sparseReshape(indices, ints(4, 2), ints(2, -1));
    return [
      ...Object.values(filled),
      ...Object.values(reshaped),
      tf.sparse.sparseSegmentSum(
        tf.tensor2d([
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
        ints(0, 2, 1),
        ints(0, 0, 1),
      ),
      tf.sparse.sparseSegmentMean(
        tf.tensor2d([
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
        ints(0, 2, 1),
        ints(0, 0, 1),
      ),
    ];
  },
  ragged: () => {
    const range = tf.raggedRange(ints(0, 5), ints(3, 9), ints(1, 2));
    const dense = tf.raggedTensorToTensor(
      ints(4, 4),
      tf.tensor1d([0.1, 0.2, 0.3]),
      tf.scalar(1.5),
      [ints(0, 2, 2, 3)],
      ["ROW_SPLITS"],
    );
    return [...Object.values(range), dense];
  },
};

await describeAgainstCpu("kernels of the host", cases);

const { device } = await webgpuDevice();
(device ? describe : () => {})("a kernel of the host on values of the device", () => {
  beforeAll(async () => {
    registerWebGPUBackend(device!);
    await tf.setBackend(backendName);
  });
  afterAll(() => tf.removeBackend(backendName));

  it("says where they are and what to do", () => {
    const x = tf.neg(tf.tensor1d([1, 2, 1]));
    expect(() => tf.unique(x)).toThrow(
      /^Unique: .* the values of x \[3\] are on the device.*; pass tf.tensor\(await x.data\(\), \[3\], "float32"\)/,
    );
    x.dispose();
  });

  it("runs once they were read", async () => {
    const x = tf.neg(tf.tensor1d([1, 2, 1]));
    await x.data();
    const { values, indices } = tf.unique(x);
    expect(await values.data()).toEqual(Float32Array.of(-1, -2));
    expect(await indices.data()).toEqual(Int32Array.of(0, 1, 0));
    tf.dispose([x, values, indices]);
  });

  it("does not show the tensor what a caller writes into what it read", async () => {
    const x = tf.neg(tf.tensor1d([1, 2, 1]));
    (await x.data())[0] = 7;
    expect(await x.data()).toEqual(Float32Array.of(-1, -2, -1));
    x.dispose();
  });

  it("names the op that has no kernel for strings or complex tensors", () => {
    expect(() => tf.engine().runKernel("Exp", { x: tf.tensor1d(["a"]) })).toThrow(
      "Exp: dcr-webgpu does not compute it of string tensors",
    );
    expect(() => tf.engine().runKernel("Exp", { x: tf.complex([1], [2]) })).toThrow(
      "Exp: dcr-webgpu does not compute it of complex64 tensors",
    );
  });
});
