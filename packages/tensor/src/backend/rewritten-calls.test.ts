import { checkGradients, expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { normalTensor } from "../../test/normal-tensor.js";
import { testBackends } from "../../test/test-backends.js";

// numpy.arange(24).reshape(2, 3, 4)[...] of NumPy 2, "new" for numpy.newaxis.
const slices: [slice: string, shape: number[], values: number[]][] = [
  ["1, ::2", [2, 4], [12, 13, 14, 15, 20, 21, 22, 23]],
  ["::2, 1", [1, 4], [4, 5, 6, 7]],
  ["::-1, 1", [2, 4], [16, 17, 18, 19, 4, 5, 6, 7]],
  ["0, ::2, 1:3", [2, 2], [1, 2, 9, 10]],
  ["..., 1", [2, 3], [1, 5, 9, 13, 17, 21]],
  ["..., ::-2", [2, 3, 2], [3, 1, 7, 5, 11, 9, 15, 13, 19, 17, 23, 21]],
  ["1, ..., ::2", [3, 2], [12, 14, 16, 18, 20, 22]],
  ["new, 1, ::2", [1, 2, 4], [12, 13, 14, 15, 20, 21, 22, 23]],
  ["::-1, -1, ::3", [2, 2], [20, 23, 8, 11]],
  ["1, new, ::-1, 2", [1, 3], [22, 18, 14]],
  ["0, 1, ::-1", [4], [7, 6, 5, 4]],
  [":, 1, ::2", [2, 2], [4, 6, 16, 18]],
  ["::2, ::2, 3", [1, 2], [3, 11]],
  ["-1, -1", [4], [20, 21, 22, 23]],
  ["1, 2, 3", [], [23]],
  [":, ::-1, 0", [2, 3], [8, 4, 0, 20, 16, 12]],
  ["1, 5:0:-2", [1, 4], [20, 21, 22, 23]],
  [":, -2, 3:0:-1", [2, 3], [7, 6, 5, 19, 18, 17]],
  ["1, :, ::3", [3, 2], [12, 15, 16, 19, 20, 23]],
  ["0, 3:0:-1, 2", [2], [10, 6]],
  ["1:, 0, 1:4:2", [1, 2], [13, 15]],
  ["..., 2, ::-1", [2, 4], [11, 10, 9, 8, 23, 22, 21, 20]],
  [":, new, 1, ::2", [2, 1, 2], [4, 6, 16, 18]],
  ["::-1, 0, 0", [2], [12, 0]],
  ["0, 2::-1, ::-3", [3, 2], [11, 8, 7, 4, 3, 0]],
  ["1, -9:-1:-1", [0, 4], []],
];

/** `tf.stridedSlice` by Python's notation. */
function sliced(x: tf.Tensor, slice: string): tf.Tensor {
  const parts = slice.split(", ");
  const bits = (holds: (part: string) => boolean) =>
    parts.reduce((mask, part, i) => mask | (holds(part) ? 1 << i : 0), 0);
  const bounds = parts.map((part) => (part.includes(":") ? part : "0:1:1").split(":"));
  const isIndex = (part: string) => /^-?\d+$/.test(part);
  return tf.stridedSlice(
    x,
    parts.map((part, i) => Number(isIndex(part) ? part : bounds[i][0])),
    parts.map((part, i) => (isIndex(part) ? Number(part) + 1 : Number(bounds[i][1]))),
    bounds.map(([, , step]) => Number(step || 1)),
    bits((part) => part.startsWith(":")),
    bits((part) => /^-?\d*:(:|$)/.test(part)),
    bits((part) => part === "..."),
    bits((part) => part === "new"),
    bits(isIndex),
  );
}

describe.each(await testBackends())("rewritten calls on $name", ({ start }) => {
  beforeAll(start);
  const read = async (run: () => tf.Tensor) => {
    const y = tf.tidy(run);
    const data = await y.data();
    y.dispose();
    return { shape: y.shape, values: Array.from(data) };
  };

  for (const dtype of ["float32", "int32"] as const) {
    it.each(slices)(`x[%s] of ${dtype} is NumPy's`, async (slice, shape, values) => {
      const x = tf.tidy(() => tf.reshape(tf.range(0, 24, 1, dtype), [2, 3, 4]));
      const before = tf.memory().numTensors;
      expect(await read(() => sliced(x, slice))).toEqual({ shape, values });
      expect(tf.memory().numTensors).toBe(before);
      x.dispose();
    });
  }

  it.each(slices)(
    "the gradient of x[%s] goes back to where it was taken from",
    async (slice, _shape, taken) => {
      const gradient = await read(() => {
        const x = tf.reshape(tf.range(0, 24), [2, 3, 4]);
        const slopes = tf.add(sliced(x, slice), 1);
        return tf.grad((y: tf.Tensor) => tf.mul(sliced(y, slice), slopes))(x);
      });
      const places = Array.from({ length: 24 }, (_, i) => (taken.includes(i) ? i + 1 : 0));
      expect(gradient).toEqual({ shape: [2, 3, 4], values: places });
    },
  );

  // Batches that both operands are repeated along, one that each alone is, and none.
  const batches: [a: number[], b: number[]][] = [
    [
      [2, 1],
      [1, 4],
    ],
    [
      [2, 1],
      [2, 3],
    ],
    [
      [2, 3],
      [1, 3],
    ],
    [[3], [2, 1]],
    [
      [2, 1, 3],
      [1, 2, 1],
    ],
    [[2, 3], [1]],
  ]; // prettier-ignore
  for (const depth of [3, 5000]) {
    it.each(batches)(`products of batches [%s] and [%s], depth ${depth}`, async (leadA, leadB) => {
      const lead = tf.broadcast_util.assertAndGetBroadcastShape(leadA, leadB);
      const [a, b] = [normalTensor(1, [...leadA, 2, depth]), normalTensor(2, [...leadB, depth, 3])];
      const [x, y] = [await a.data(), await b.data()];
      const batchOf = (own: number[], at: number[]) =>
        own.reduce((sum, size, i) => sum * size + (size === 1 ? 0 : at[lead.length - own.length + i]), 0);
      const strides = [...tf.util.computeStrides(lead), 1].slice(0, lead.length);
      const expected: number[] = [];
      for (let n = 0; n < tf.util.sizeFromShape(lead); n++) {
        const at = tf.util.indexToLoc(n, lead.length, strides);
        const [na, nb] = [batchOf(leadA, at), batchOf(leadB, at)];
        for (let i = 0; i < 2; i++) {
          for (let j = 0; j < 3; j++) {
            let sum = 0;
            for (let k = 0; k < depth; k++) sum += x[(na * 2 + i) * depth + k] * y[(nb * depth + k) * 3 + j];
            expected.push(sum);
          }
        }
      }
      const runs: (() => tf.Tensor)[] = [
        () => tf.matMul(a, b),
        () => tf.matMul(tf.transpose(a, swapped(a)), b, true),
        () => tf.matMul(a, tf.transpose(b, swapped(b)), false, true),
      ];
      for (const run of runs) {
        const before = tf.memory().numTensors;
        const got = await read(run);
        expect(tf.memory().numTensors).toBe(before);
        expect(got.shape).toEqual([...lead, 2, 3]);
        expectClose(got.values, expected, { relative: 1e-5, absolute: 2e-4 });
      }
      if (depth < 10) await checkGradients((c, d) => tf.matMul(c, d), [a, b]);
      tf.dispose([a, b]);
    });
  }

  // Volumes of one plane are images, for which tfjs-core reckons the padding right.
  const windows: [size: number, stride: number][] = [
    [1, 3],
    [2, 3],
    [3, 2],
    [1, 2],
    [2, 5],
  ]; // prettier-ignore
  it.each(windows)(
    "windows of %d voxels with strides of %d and the same padding as images",
    async (size, stride) => {
      const x = tf.tidy(() => {
        // Far apart, so that a difference does not move a maximum.
        const places = tf.mod(tf.mul(tf.range(0, 6 * 7 * 2), 23), 84);
        return tf.reshape(tf.div(places, 20), [1, 6, 7, 2]) as tf.Tensor4D;
      });
      const w = normalTensor<tf.Rank.R4>(2, [size, size, 2, 3]);
      const volume = (y: tf.Tensor) => tf.reshape(y, [1, ...y.shape] as number[]) as tf.Tensor as tf.Tensor5D;
      const [windowOf, stridesOf] = [size, stride].map((n) => [1, n, n] as [number, number, number]);
      const pairs: [image: (y: tf.Tensor4D) => tf.Tensor, of: (y: tf.Tensor) => tf.Tensor][] = [
        [
          (y) => tf.maxPool(y, size, stride, "same"),
          (y) => tf.maxPool3d(volume(y), windowOf, stridesOf, "same"),
        ],
        [
          (y) => tf.avgPool(y, size, stride, "same"),
          (y) => tf.avgPool3d(volume(y), windowOf, stridesOf, "same"),
        ],
        [
          (y) => tf.conv2d(y, w, stride, "same"),
          (y) => tf.conv3d(volume(y), volume(w) as never, stridesOf, "same"),
        ],
      ];
      for (const [image, of] of pairs) {
        const [expected, got] = [await read(() => image(x)), await read(() => of(x))];
        expect(got.shape).toEqual([1, ...expected.shape]);
        expectClose(got.values, expected.values, { relative: 1e-5, absolute: 1e-6 });
        await checkGradients(of, [x]);
      }
      const filters = (y: tf.Tensor) => tf.conv3d(volume(x), volume(y) as never, stridesOf, "same");
      await checkGradients(filters, [w]);
      tf.dispose([x, w]);
    },
  );
});

const swapped = ({ rank }: tf.Tensor) => [
  ...Array.from({ length: rank - 2 }, (_, i) => i),
  rank - 1,
  rank - 2,
];
