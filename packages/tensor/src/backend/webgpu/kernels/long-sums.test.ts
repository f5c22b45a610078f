import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../../../test/test-backends.js";
import { registerFusedKernels } from "../../../ops/fused-kernel.js";
import { groupNorm } from "../../../ops/group-norm.js";
import { layerNorm } from "../../../ops/layer-norm.js";
import { matMulAndSum } from "../../../ops/product-and-sum.js";
import { globalNorm } from "../../../optim/clip-grad-norm.js";
import { backendName } from "../backend-name.js";
import { registerWebGPUBackend } from "../register-backend.js";
import "../../../shared/register-gradients.js";

const { device } = await webgpuDevice();
const tenth = Math.fround(0.1);
const n = 1_000_000;

/** The first value of `f`, beside what exact arithmetic gives. */
async function ratio(f: () => tf.Tensor, exact: number): Promise<number> {
  const y = tf.tidy(f);
  const values = await y.data();
  y.dispose();
  expect(Math.max(...values.slice(0, 64))).toBe(Math.min(...values.slice(0, 64)));
  return values[0] / exact;
}

const schedules = [
  ["of CPU adapters", true],
  ["of GPUs", false],
] as const;

describe.runIf(device).each(schedules)("long sums in the schedule %s", (_name, isSoftware) => {
  beforeAll(async () => {
    registerWebGPUBackend({ device: device!.device, isSoftware }, { checkKeys: true });
    registerFusedKernels(backendName);
    await tf.setBackend(backendName);
  });
  afterAll(async () => {
    await tf.setBackend("cpu");
    tf.removeBackend(backendName);
  });

  const close = { relative: 1e-6, absolute: 0 };

  it("adds up equal values to the last bit or so", async () => {
    expectClose([await ratio(() => tf.sum(tf.fill([n], 0.1)), n * tenth)], [1], close);
    expectClose([await ratio(() => tf.mean(tf.fill([10 * n], 0.1)), tenth)], [1], close);
    expectClose([await ratio(() => tf.sum(tf.fill([3, 333_333], 0.1), 1), 333_333 * tenth)], [1], close);
  });

  it("adds up rows, as a bias gradient does", async () => {
    expectClose([await ratio(() => tf.sum(tf.fill([n, 4], 0.1), 0), n * tenth)], [1], close);
    expectClose(
      [await ratio(() => tf.sum(tf.fill([100, 101, 102, 3], 0.1), [0, 1, 2]), 1_030_200 * tenth)],
      [1],
      close,
    );
  });

  it("computes norms", async () => {
    expectClose(
      [await ratio(() => globalNorm([tf.fill([4 * n], 1e-3)]), 2 * (Math.fround(1e-3) / 1e-3))],
      [1],
      close,
    );
    expectClose([await ratio(() => tf.norm(tf.fill([n], 0.1)), 1e3 * tenth)], [1], close);
  });

  it("multiplies matrices over a long k, with what is added to them", async () => {
    const product = (m: number, k: number, columns: number) => () =>
      tf.matMul(tf.fill([m, k], 0.1), tf.ones([k, columns]));
    expectClose([await ratio(product(1, n, 1), n * tenth)], [1], { relative: 1e-5, absolute: 0 });
    expectClose([await ratio(product(3, 9001, 5), 9001 * tenth)], [1], { relative: 1e-5, absolute: 0 });
    const transposed = () => tf.matMul(tf.fill([20_000, 4], 0.1), tf.ones([20_000, 8]), true, false);
    expectClose([await ratio(transposed, 20_000 * tenth)], [1], { relative: 1e-5, absolute: 0 });
    const batched = () => tf.matMul(tf.fill([2, 3, 9000], 0.1), tf.ones([1, 9000, 4]));
    expectClose([await ratio(batched, 9000 * tenth)], [1], { relative: 1e-5, absolute: 0 });
    const withBias = () =>
      matMulAndSum(tf.fill([2, 20_000], 0.1), tf.ones([20_000, 4]), false, {
        bias: tf.fill([4], 7) as tf.Tensor1D,
      });
    expectClose([await ratio(withBias, 20_000 * tenth + 7)], [1], { relative: 1e-5, absolute: 0 });
  });

  it("sums the gradient of a convolution's filter over all positions", async () => {
    const loss = (filter: tf.Tensor) => {
      const x = tf.fill([4, 128, 128, 4], 0.1) as tf.Tensor4D;
      return tf.sum(tf.conv2d(x, filter as tf.Tensor4D, 1, "same"));
    };
    const gradient = () => tf.slice(tf.grad(loss)(tf.ones([3, 3, 4, 4])), [1, 1, 0, 0], [1, 1, 4, 4]);
    expectClose([await ratio(gradient, 4 * 128 * 128 * tenth)], [1], { relative: 1e-5, absolute: 0 });
  });

  it("multiplies over a long k as over a short one", async () => {
    const [a, b] = [normalArray(1, 3 * 10_000), normalArray(2, 10_000 * 2)];
    const expected = Array.from({ length: 6 }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < 10_000; k++) sum += a[Math.floor(i / 2) * 10_000 + k] * b[k * 2 + (i % 2)];
      return sum;
    });
    const y = tf.tidy(() => tf.matMul(tf.tensor2d(a, [3, 10_000]), tf.tensor2d(b, [10_000, 2])));
    expectClose(await y.data(), expected, { relative: 0, absolute: 1e-3 });
    y.dispose();
  });

  it("keeps an infinity and a NaN", async () => {
    const sums = async (value: number) => {
      const y = tf.tidy(() =>
        tf.sum(tf.concat([tf.fill([n], 0.1), tf.tensor1d([value]), tf.fill([n], 0.1)])),
      );
      const [sum] = await y.data();
      y.dispose();
      return sum;
    };
    expect(await sums(Infinity)).toBe(Infinity);
    expect(await sums(-Infinity)).toBe(-Infinity);
    expect(await sums(NaN)).toBeNaN();
  });

  it("softmax of a million equal values sums to 1", async () => {
    const y = tf.tidy(() => tf.softmax(tf.fill([n], 3)));
    const sum = (await y.data<"float32">()).reduce((a, b) => a + b, 0);
    y.dispose();
    expectClose([sum], [1], close);
  });

  // float64 computes the expected values from the same float32 inputs; results may differ by 1e-4 of sigma.
  describe.each([1e3, 1e4])("normalisation at a mean of %s sigma", (mean) => {
    const [rows, size] = [4, 4096];
    const x = Float32Array.from(normalArray(5, rows * size), (value) => value + mean);
    const standardised = (row: Float32Array) => {
      const average = row.reduce((a, b) => a + b, 0) / row.length;
      const variance = row.reduce((a, b) => a + (b - average) ** 2, 0) / row.length;
      return Array.from(row, (value) => (value - average) / Math.sqrt(variance + 1e-5));
    };
    const expected = Array.from({ length: rows }, (_, i) =>
      standardised(x.subarray(i * size, (i + 1) * size)),
    ).flat();
    const within = { relative: 0, absolute: 1e-4 };
    const dy = normalArray(6, rows * size);
    /** The gradient at x, for a gradient dy at y (Ba et al. 2016): (dy - mean(dy) - y mean(dy y)) / sigma. */
    const expectedGradient = Array.from({ length: rows }, (_, i) => {
      const [y, d] = [expected, Array.from(dy)].map((all) => all.slice(i * size, (i + 1) * size));
      const average = (values: number[]) => values.reduce((a, b) => a + b, 0) / size;
      const row = Array.from(x.subarray(i * size, (i + 1) * size));
      const mean = average(row);
      const sigma = Math.sqrt(average(row.map((value) => (value - mean) ** 2)) + 1e-5);
      const [dMean, product] = [average(d), average(d.map((value, j) => value * y[j]))];
      return d.map((value, j) => (value - dMean - y[j] * product) / sigma);
    }).flat();
    /** The gradient at a weight for each column, `sum dy y` over rows. */
    const expectedWeights = Array.from({ length: size }, (_, j) =>
      Array.from({ length: rows }, (_, i) => dy[i * size + j] * expected[i * size + j]).reduce(
        (a, b) => a + b,
      ),
    );

    it("the gradients of layer norm", async () => {
      const [dx, dWeight] = tf.tidy(() =>
        tf.grads((x, weight) => layerNorm(x, weight as tf.Tensor1D, null))(
          [tf.tensor2d(x, [rows, size]), tf.ones([size])],
          tf.tensor2d(dy, [rows, size]),
        ),
      );
      expectClose(await dx.data(), expectedGradient, within);
      expectClose(await dWeight.data(), expectedWeights, within);
      tf.dispose([dx, dWeight]);
    });

    it("the gradients of group norm", async () => {
      const [dx, dWeight] = tf.tidy(() =>
        tf.grads((x, weight) =>
          groupNorm(x as tf.Tensor4D, weight as tf.Tensor1D, tf.zeros([1]), { groups: 1 }),
        )([tf.tensor4d(x, [rows, 64, 64, 1]), tf.ones([1])], tf.tensor4d(dy, [rows, 64, 64, 1])),
      );
      expectClose(await dx.data(), expectedGradient, within);
      const whole = expected.reduce((sum, y, i) => sum + y * dy[i], 0);
      // A sum of as many terms, each to 1e-4 of sigma, whose errors do not cancel.
      const offset = 1e-4 * Math.abs(dy.reduce((a, b) => a + b, 0));
      expectClose(await dWeight.data(), [whole], { relative: 1e-5, absolute: offset });
      tf.dispose([dx, dWeight]);
    });

    it("layer norm", async () => {
      const y = tf.tidy(() => layerNorm(tf.tensor2d(x, [rows, size]), null, null));
      expectClose(await y.data(), expected, within);
      y.dispose();
    });

    it("group norm", async () => {
      // One image of 64 x 64 pixels a row, with one channel.
      const y = tf.tidy(() =>
        groupNorm(tf.tensor4d(x, [rows, 64, 64, 1]), tf.ones([1]), tf.zeros([1]), { groups: 1 }),
      );
      expectClose(await y.data(), expected, within);
      y.dispose();
    });

    it("moments", async () => {
      const { mean: average, variance } = tf.tidy(() => tf.moments(tf.tensor2d(x, [rows, size]), 1));
      const row = x.subarray(0, size);
      const exact = row.reduce((a, b) => a + b, 0) / size;
      const spread = row.reduce((a, b) => a + (b - exact) ** 2, 0) / size;
      expectClose([(await average.data())[0]], [exact], { relative: 1.2e-7, absolute: 0 });
      expectClose([(await variance.data())[0]], [spread], { relative: 1e-4, absolute: 0 });
      tf.dispose([average, variance]);
    });
  });
});
