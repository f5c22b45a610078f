import { checkGradients, expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { normalTensor } from "./normal-tensor.js";
import { testBackends } from "./test-backends.js";

// Gradients where finite differences do not reach: at kinks, of NaN, of lists that change after the op.

describe.each(await testBackends())("gradients on $name", ({ start }) => {
  beforeAll(start);
  const gradientOf = async (f: (x: tf.Tensor) => tf.Tensor, x: tf.TensorLike) => {
    const before = tf.memory().numTensors;
    const gradient = tf.tidy(() => tf.grad(f)(tf.tensor(x as number[])));
    const values = Array.from(await gradient.data());
    gradient.dispose();
    expect(tf.memory().numTensors).toBe(before);
    return values;
  };

  it("follow parts that were reversed, sorted or added to after the op", async () => {
    const weighted = (parts: tf.Tensor[]) => tf.sum(tf.addN(parts.map((part, i) => tf.mul(part, 10 ** i))));
    expect(await gradientOf((x) => weighted(tf.unstack(x).reverse()), [1, 2, 3])).toEqual([100, 10, 1]);
    expect(await gradientOf((x) => weighted(tf.split(x, 2).reverse()), [1, 2, 3, 4])).toEqual([10, 10, 1, 1]);
    const sorted = (x: tf.Tensor) => tf.unstack(x).sort((a, b) => b.dataSync()[0] - a.dataSync()[0]);
    if (tf.getBackend() !== "dcr-webgpu") {
      expect(await gradientOf((x) => weighted(sorted(x)), [2, 3, 1])).toEqual([10, 1, 100]);
    }
    const longer = (x: tf.Tensor) => {
      const parts = tf.split(x, 2);
      parts.push(tf.slice(tf.square(x), [0], [1]));
      return weighted(parts);
    };
    expect(await gradientOf(longer, [3, 5])).toEqual([1 + 600, 10]);
    expectClose(await gradientOf((x) => tf.topk(x, 2).values, [1, 3, 2]), [0, 1, 1]);
  });

  it("of abs at 0 is 0, as PyTorch's, and NaN stays NaN", async () => {
    expect(await gradientOf(tf.abs, [-2, -0, 0, 3, Number.NaN, -Infinity])).toEqual([
      -1,
      0,
      0,
      1,
      Number.NaN,
      -1,
    ]);
    const loss = (x: tf.Tensor) => tf.losses.absoluteDifference(tf.tensor1d([1, 3]), x);
    expectClose(await gradientOf(loss, [1, 2]), [0, -0.5]);
  });

  it("of an extremum that is NaN goes to NaN, as PyTorch's", async () => {
    for (const f of [tf.max, tf.min]) {
      expect(await gradientOf((x) => f(x), [2, Number.NaN, 1])).toEqual([0, 1, 0]);
      const rows = [
        [2, Number.NaN],
        [3, 3],
      ]; // prettier-ignore
      expect(await gradientOf((x) => f(x, 1), rows)).toEqual([0, 1, 1, 1]);
    }
    expect(await gradientOf((x) => tf.max(x, 0, true), [2, 5, 1])).toEqual([0, 1, 0]);
  });

  it("of gatherND at one place, and of a product over nothing", async () => {
    const place = tf.tensor1d([1, 0], "int32");
    expect(
      await gradientOf(
        (x) => tf.mul(tf.gatherND(x, place), 7),
        [
          [1, 2],
          [3, 4],
        ],
      ),
    ).toEqual([0, 0, 7, 0]); // prettier-ignore
    place.dispose();
    const none = tf.tidy(() => tf.grad((x) => tf.prod(x, 1))(tf.zeros([2, 0])));
    expect(none.shape).toEqual([2, 0]);
    none.dispose();
  });

  it("of divNoNan at a divisor of 0 is 0, as TensorFlow's, and of div it is infinite", async () => {
    const divisors = [0, 2, -4, 0];
    const dividends = [1, 3, 2, 0];
    expect(await gradientOf((a) => tf.divNoNan(a, divisors), dividends)).toEqual([0, 0.5, -0.25, 0]);
    expect(await gradientOf((b) => tf.divNoNan(dividends, b), divisors)).toEqual([0, -0.75, -0.125, 0]);
    expect(await gradientOf((b) => tf.divNoNan(dividends, b), 0)).toEqual([0]);
    expect(await gradientOf((a) => tf.div(a, divisors), dividends)).toEqual([Infinity, 0.5, -0.25, Infinity]);
    const second = (b: tf.Tensor) => tf.grad((c: tf.Tensor) => tf.divNoNan(dividends, c))(b);
    // 2 a / b^3
    expectClose(await gradientOf(second, divisors), [0, 0.75, -0.0625, 0]);
  });

  it("of powers of 0 and to the power of 0, as PyTorch's", async () => {
    const bases = [0, 0, 0, -2, Number.NaN, Infinity];
    expect(await gradientOf((x) => tf.pow(x, 0), bases)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(await gradientOf((x) => tf.pow(x, [0, 1, 2, 3, 0, 1]), bases)).toEqual([0, 1, 0, 12, 0, 1]);
    const second = (power: number) => (x: tf.Tensor) => tf.grad((y: tf.Tensor) => tf.pow(y, power))(x);
    expect(await gradientOf(second(0), [0, 3])).toEqual([0, 0]);
    expect(await gradientOf(second(1), [0, 3])).toEqual([0, 0]);
    expect(await gradientOf(second(2), [0, 3])).toEqual([2, 2]);
    expect(await gradientOf(second(3), [0, 3])).toEqual([0, 18]);
  });

  it("of relu6 at its kinks is 0, as PyTorch's", async () => {
    expect(await gradientOf(tf.relu6, [-1, 0, 3, 6, 7])).toEqual([0, 0, 1, 0, 0]);
  });

  it("of maximum and minimum passes on to NaN, and to the first of equals, as TensorFlow's", async () => {
    const [left, right] = [
      [1, 2, 3, Number.NaN, 0],
      [2, 2, 1, 0, Number.NaN],
    ]; // prettier-ignore
    expect(await gradientOf((a) => tf.maximum(a, right), left)).toEqual([0, 1, 1, 1, 1]);
    expect(await gradientOf((b) => tf.maximum(left, b), right)).toEqual([1, 0, 0, 1, 1]);
    expect(await gradientOf((a) => tf.minimum(a, right), left)).toEqual([1, 1, 0, 1, 1]);
    expect(await gradientOf((b) => tf.minimum(left, b), right)).toEqual([0, 0, 1, 1, 1]);
  });

  it("of the sigmoid's cross entropy at a logit of 0 is sigmoid(0) - label", async () => {
    const labels = [1, 0, 0.25, 1, 0, 1];
    const logits = [0, 0, -0, 1000, -1000, 2];
    const loss = (x: tf.Tensor) =>
      tf.losses.sigmoidCrossEntropy(labels, x, undefined, 0, tf.Reduction.SUM) as tf.Scalar;
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    expectClose(
      await gradientOf(loss, logits),
      logits.map((x, i) => sigmoid(x) - labels[i]),
      { relative: 1e-5, absolute: 1e-7 },
    );
    const second = (x: tf.Tensor) => tf.grad(loss)(x);
    expectClose(
      await gradientOf((x) => tf.slice(second(tf.concat([x, tf.zeros([4])])), [0], [2]), [0, 2]),
      [0, 2].map((x) => sigmoid(x) * sigmoid(-x)),
      { relative: 1e-5 },
    );
  });

  it("of nothing has its shape", () => {
    const shapes: [a: number[], b: number[]][] = [
      [
        [0, 1],
        [0, 1],
      ],
      [
        [0, 3],
        [0, 1],
      ],
      [
        [0, 1],
        [1, 1],
      ],
      [[0, 3], []],
      [
        [2, 0],
        [2, 1],
      ],
    ]; // prettier-ignore
    for (const [a, b] of shapes) {
      for (const f of [tf.div, tf.divNoNan, tf.pow, tf.maximum, tf.prelu] as ((
        x: tf.Tensor,
        y: tf.Tensor,
      ) => tf.Tensor)[]) {
        tf.tidy(() => {
          const gradients = tf.grads(f)([tf.zeros(a), tf.ones(b)]);
          expect(gradients.map(({ shape }) => shape)).toEqual([a, b]);
        });
      }
    }
    tf.tidy(() => {
      expect(tf.where(tf.zeros([0, 1], "bool"), 0, tf.zeros([0, 1])).shape).toEqual([0, 1]);
      expect(tf.where(tf.zeros([2, 0], "bool"), tf.ones([1, 1]), tf.ones([2, 1])).shape).toEqual([2, 0]);
    });
  });

  it("of a quotient whose divisor has no square in float32", async () => {
    // -a / b^2
    expectClose(await gradientOf((b) => tf.div([1e30, -1e-30], b), [1e20, 1e-20]), [-1e-10, 1e10], {
      relative: 1e-6,
    });
  });

  it("of prelu with more slopes than inputs", async () => {
    const alpha = [
      [0.5, 0.25],
      [2, 4],
    ]; // prettier-ignore
    expect(await gradientOf((x) => tf.prelu(x, alpha), [-1, 3])).toEqual([2.5, 2]);
    expect(await gradientOf((a) => tf.prelu([-1, 3], a), alpha)).toEqual([-1, 0, -1, 0]);
  });

  it.each([2, 3, 4])("of batchNorm of %s axes, scale and offset given or not", async (rank) => {
    const shape = [3, 2, 2].slice(0, rank - 1);
    const x = normalTensor(1, [...shape, 4]);
    const [mean, offset, scale] = [2, 3, 4].map((seed) => normalTensor<tf.Rank.R1>(seed, [4]));
    const variance = tf.tensor1d([0.5, 1, 1.5, 2]);
    const before = tf.memory().numTensors;
    for (const given of [[], [offset], [scale], [offset, scale]]) {
      const f = (y: tf.Tensor, m: tf.Tensor, v: tf.Tensor, ...others: tf.Tensor[]) => {
        const named = Object.fromEntries(
          given.map((one, i) => [one === scale ? "scale" : "offset", others[i]]),
        );
        return tf.batchNorm(
          y as tf.Tensor4D,
          m as tf.Tensor1D,
          v as tf.Tensor1D,
          named.offset as tf.Tensor1D,
          named.scale as tf.Tensor1D,
        );
      };
      await checkGradients(f as () => tf.Tensor, [x, mean, variance, ...given]);
    }
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([x, mean, offset, scale, variance]);
  });
});
