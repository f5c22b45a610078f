import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { testBackends } from "../../test/test-backends.js";

// Ops of tensors of more axes than XNNPACK takes are the same ops of a vector, or of two axes, reshaped.

const ops = tf as unknown as Record<string, (...operands: unknown[]) => tf.Tensor>;
const unary = (
  "abs acos acosh asin asinh atan atanh ceil cos cosh elu erf exp expm1 floor isFinite isInf isNaN leakyRelu log log1p logSigmoid neg " +
  "onesLike reciprocal relu relu6 round rsqrt selu sigmoid sign sin sinh softplus sqrt square step tan tanh zerosLike"
).split(" ");
const binary =
  "add atan2 div divNoNan equal floorDiv greater greaterEqual less lessEqual maximum minimum mod mul notEqual pow prelu squaredDifference sub".split(
    " ",
  );

const close = { relative: 1e-6, absolute: 1e-7 };
const shapeOf = (rank: number) => [2, 3, ...new Array(rank - 3).fill(1), 4];
const values = Float32Array.from({ length: 24 }, (_, i) => ((i * 7) % 24) / 24 + 1 / 64);
const others = values.map((_, i) => values[(i * 5) % 24]);

describe.each(await testBackends())("tensors of 7 and 8 axes on $name", ({ start }) => {
  beforeAll(start);

  /** Runs `f` in the middle of freed memory that holds other numbers, and reads its results. */
  async function read(f: () => tf.Tensor | tf.Tensor[]) {
    tf.dispose([6, 8, 12, 24, 48, 96].map((n) => tf.fill([n], 12345)));
    const outputs = tf.tidy(() => [f()].flat());
    const results = await Promise.all(outputs.map(async (y) => ({ shape: y.shape, data: await y.data() })));
    tf.dispose(outputs);
    return results;
  }
  const data = async (f: () => tf.Tensor) => (await read(f))[0].data;

  for (const rank of [7, 8]) {
    const shape = shapeOf(rank);
    const many = (from = values) => tf.tensor(from, shape);
    const flat = (from = values) => tf.tensor(from, [2, 3, 4]);
    const axes = [...shape.keys()];

    it.each(unary)(`%s, ${rank} axes`, async (name) => {
      const [got] = await read(() => ops[name](many()));
      expect(got.shape).toEqual(shape);
      expectClose(got.data, await data(() => ops[name](flat())), close);
    });

    it.each(binary)(`%s, ${rank} axes, and with a scalar`, async (name) => {
      expectClose(
        await data(() => ops[name](many(), many(others))),
        await data(() => ops[name](flat(), flat(others))),
        close,
      );
      const half = () => (name === "prelu" ? tf.tensor1d([0.5]) : tf.scalar(0.5));
      expectClose(
        await data(() => ops[name](many(), half())),
        await data(() => ops[name](flat(), half())),
        close,
      );
    });

    it(`moves of ${rank} axes`, async () => {
      const ones = new Array(rank - 3).fill(1);
      const wide = (a: number, b: number, c: number) => [a, b, ...ones, c];
      const pads = axes.map((axis) => (axis === 0 || axis === rank - 1 ? [1, 2] : [0, 0])) as [
        number,
        number,
      ][];
      const pairs: [of: () => tf.Tensor, reference: () => tf.Tensor, expected: number[]][] = [
        [
          () => tf.pad(many(), pads, 5),
          () =>
            tf.pad(
              flat(),
              [
                [1, 2],
                [0, 0],
                [1, 2],
              ],
              5,
            ),
          wide(5, 3, 7),
        ], // prettier-ignore
        [
          () => tf.slice(many(), [1, 1, ...ones.map(() => 0), 2], [1, 2, ...ones, 2]),
          () => tf.slice(flat(), [1, 1, 2], [1, 2, 2]),
          wide(1, 2, 2),
        ],
        [
          () => tf.transpose(many()),
          () => tf.transpose(flat()),
          wide(4, 1, 1)
            .with(rank - 2, 3)
            .with(rank - 1, 2),
        ],
        [
          () => tf.concat([many(), many(others)], 1),
          () => tf.concat([flat(), flat(others)], 1),
          wide(2, 6, 4),
        ],
        [() => tf.stack([many(), many(others)]), () => tf.stack([flat(), flat(others)]), [2, ...shape]],
        [() => tf.reverse(many(), [0, rank - 1]), () => tf.reverse(flat(), [0, 2]), shape],
        [() => tf.tile(many(), [2, 1, ...ones, 3]), () => tf.tile(flat(), [2, 1, 3]), wide(4, 3, 12)],
        [() => tf.gather(many(), [2, 0], 1), () => tf.gather(flat(), [2, 0], 1), wide(2, 2, 4)],
        [() => tf.cumsum(many(), 1), () => tf.cumsum(flat(), 1), shape],
        [
          () => tf.where(tf.greater(many(), 0.5), many(), many(others)),
          () => tf.where(tf.greater(flat(), 0.5), flat(), flat(others)),
          shape,
        ],
        [() => tf.clipByValue(many(), 0.25, 0.75), () => tf.clipByValue(flat(), 0.25, 0.75), shape],
        [() => tf.cast(many(), "int32"), () => tf.cast(flat(), "int32"), shape],
        [() => tf.softmax(many()), () => tf.softmax(flat()), shape],
        ...["sum", "mean", "max", "min", "prod", "argMax", "argMin"].map(
          (name): [() => tf.Tensor, () => tf.Tensor, number[]] => [
            () => ops[name](many(), 1),
            () => ops[name](flat(), 1),
            shape.toSpliced(1, 1),
          ],
        ),
      ];
      for (const [of, reference, expected] of pairs) {
        const [got] = await read(of);
        expect(got.shape).toEqual(expected);
        expectClose(got.data, await data(reference), close);
      }
    });

    it(`the gradient of a product of ${rank} axes`, async () => {
      const gradients = tf.grads((a, b) => tf.mul(a, tf.square(b)));
      const [got, expected] = [
        await read(() => gradients([many(), many(others)])),
        await read(() => gradients([flat(), flat(others)])),
      ];
      for (const side of [0, 1]) expectClose(got[side].data, expected[side].data, close);
    });
  }
});
