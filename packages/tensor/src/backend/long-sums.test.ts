import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { readOp } from "../../test/read-op.js";
import { testBackends } from "../../test/test-backends.js";

// Sums of a million equal terms, which in float32, one after another, lose two digits. The sum is the number of them times the term.

const n = 1_000_000;
const tenth = Math.fround(0.1);
const tenths = (...shape: number[]) => tf.fill(shape, 0.1) as tf.Tensor as tf.Tensor1D;
const zeros = (...shape: number[]) => tf.zeros(shape, "int32") as tf.Tensor as tf.Tensor1D;
const images = (x: tf.Tensor) => x as tf.Tensor4D;

const cases: Record<string, { run: () => tf.Tensor; terms: number }> = {
  "a segment": { run: () => tf.unsortedSegmentSum(tenths(n), zeros(n), 1), terms: n },
  "a slice that is named often": { run: () => tf.scatterND(zeros(n, 1), tenths(n), [1]), terms: n },
  "the gradient of gather": {
    run: () => tf.grad((x: tf.Tensor) => tf.mul(tf.gather(x, zeros(n)), 0.1))(tf.ones([1])),
    terms: n,
  },
  "the gradient of gatherND": {
    run: () => tf.grad((x: tf.Tensor) => tf.mul(tf.gatherND(x, zeros(n, 1)), 0.1))(tf.ones([1])),
    terms: n,
  },
  "weights of a bin": { run: () => tf.bincount(zeros(n), tenths(n), 1), terms: n },
  "weights of a bin of each row": {
    run: () =>
      tf.denseBincount(
        zeros(2, n / 2) as tf.Tensor as tf.Tensor2D,
        tenths(2, n / 2) as tf.Tensor as tf.Tensor2D,
        1,
      ),
    terms: n / 2,
  },
  "a running sum": { run: () => tf.slice(tf.cumsum(tenths(n)), [n - 1], [1]), terms: n },
  "a running sum down columns": {
    run: () => tf.slice(tf.cumsum(tenths(n / 2, 2), 0), [n / 2 - 1, 0], [1, 2]),
    terms: n / 2,
  },
  "the gradient of repetition": {
    run: () => tf.grad((x: tf.Tensor) => tf.mul(tf.broadcastTo(x, [n]), 0.1))(tf.ones([1])),
    terms: n,
  },
  "the gradient of a filter of one weight for each channel": {
    run: () =>
      tf.grad((w) => tf.depthwiseConv2d(images(tenths(1, 256, 256, 2)), images(w), 1, "same"))(
        tf.ones([1, 1, 2, 1]),
      ),
    terms: 256 ** 2,
  },
  "the gradient of a filter of a volume": {
    run: () =>
      tf.grad((w: tf.Tensor) =>
        tf.conv3d(tenths(1, 40, 40, 40, 2) as tf.Tensor as tf.Tensor5D, w as tf.Tensor5D, 1, "same"),
      )(tf.ones([1, 1, 1, 2, 3])),
    terms: 40 ** 3,
  },
  "the gradient of a pixel that became many, by neighbours": {
    run: () =>
      tf.grad((x) => tf.mul(tf.image.resizeNearestNeighbor(images(x), [256, 256]), 0.1))(
        tf.ones([1, 1, 1, 1]),
      ),
    terms: 256 ** 2,
  },
  "the gradient of a pixel that became many, bilinearly": {
    run: () =>
      tf.grad((x) => tf.mul(tf.image.resizeBilinear(images(x), [256, 256]), 0.1))(tf.ones([1, 1, 1, 1])),
    terms: 256 ** 2,
  },
};

describe.each(await testBackends())("long sums on $name", ({ start }) => {
  beforeAll(start);
  const read = async (run: () => tf.Tensor) => (await readOp(run)).values;

  it.each(Object.entries(cases))("%s", async (_name, { run, terms }) => {
    const values = await read(run);
    expect(values.length).toBeGreaterThan(0);
    expectClose(
      values,
      values.map(() => terms * tenth),
      { relative: 1e-5 },
    );
  });

  it("running sums of infinities, zeros and nothing are numpy.cumsum's", async () => {
    const [endless, nan] = [Infinity, Number.NaN];
    expect(await read(() => tf.cumsum([1, endless, 2, -endless, 3]))).toEqual([
      1,
      endless,
      endless,
      nan,
      nan,
    ]);
    expect(await read(() => tf.cumsum([1, 2, endless, 3], 0, true, true))).toEqual([endless, endless, 3, 0]);
    expect(await read(() => tf.div(1, tf.cumsum([-0, 2])))).toEqual([-endless, 0.5]);
    expect(await read(() => tf.cumsum(tf.zeros([0, 3]), 1))).toEqual([]);
  });

  it("counts and weighs what is in each bin, and says what is there", async () => {
    const x = tf.tensor1d([0, 0, 1, 3, 9], "int32");
    const weights = tf.tensor1d([1, -1, 3, 4, 5]);
    expect(await read(() => tf.bincount(x, [], 4))).toEqual([2, 1, 0, 1]);
    expect(await read(() => tf.bincount(x, weights, 4))).toEqual([0, 3, 0, 4]);
    expect(await read(() => tf.denseBincount(x, weights, 4, true))).toEqual([1, 1, 0, 1]);
    const rows = tf.tensor2d(
      [
        [0, 0, 1],
        [9, 1, 2],
      ],
      [2, 3],
      "int32",
    ); // prettier-ignore
    expect(
      await read(() => tf.denseBincount(rows, tf.reshape(tf.range(1, 7), [2, 3]) as tf.Tensor2D, 3)),
    ).toEqual([3, 3, 0, 0, 5, 6]);
    tf.dispose([x, weights, rows]);
  });

  const repetitions: [shape: number[], reps: number[]][] = [
    [[2], [3]],
    [
      [1, 2],
      [3, 1],
    ],
    [
      [2, 3],
      [2, 2],
    ],
    [
      [2, 3],
      [1, 1],
    ],
    [[2], [0]],
    [
      [1, 2, 1, 2, 1],
      [2, 1, 2, 1, 3],
    ],
  ]; // prettier-ignore
  it.each(repetitions)(
    "the gradient of tile of [%s] by [%s] sums over the repetitions",
    async (shape, reps) => {
      const size = tf.util.sizeFromShape(shape);
      const gradient = await read(() => {
        const whole = shape.map((length, axis) => length * reps[axis]);
        const slopes = tf.reshape(tf.range(0, tf.util.sizeFromShape(whole)), whole);
        return tf.grad((x: tf.Tensor) => tf.mul(tf.tile(x, reps), slopes))(tf.ones(shape));
      });
      // Where each repeated element comes from.
      const [places] = [await read(() => tf.tile(tf.reshape(tf.range(0, size), shape), reps))];
      const expected = new Array<number>(size).fill(0);
      for (const [i, place] of places.entries()) expected[place] += i;
      expect(gradient).toEqual(expected);
    },
  );
});
