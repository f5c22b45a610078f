import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { describe, expect, it } from "vitest";
import { testBackends } from "../../../../test/test-backends.js";
import { gelu, silu } from "../../../ops/activation.js";
import { backendName } from "../backend-name.js";

const largest = 3.4028234663852886e38;
const least = -2147483648;
const most = 2147483647;

// Where tfjs's cpu backend errs, or has no rule.
const backend = (await testBackends()).find(({ name }) => name === backendName);
describe.runIf(backend)("special values by rule", () => {
  const on = async (run: () => tf.Tensor) => {
    await backend!.start();
    const y = tf.tidy(run);
    const values = Array.from(await y.data());
    y.dispose();
    return values;
  };

  it("refuses a fused activation that tfjs's fused ops do not have", async () => {
    await backend!.start();
    const fused = () =>
      tf.fused.matMul({ a: tf.ones([1, 1]), b: tf.ones([1, 1]), activation: "tanh" as "relu" });
    expect(() => tf.tidy(fused)).toThrow(
      'fused activation: expected one of linear, relu, relu6, elu, leakyrelu, sigmoid, prelu, got "tanh"',
    );
  });

  it("refuses a crop of an image that is not there, as tfjs's cpu backend", async () => {
    await backend!.start();
    const before = tf.memory().numTensors;
    for (const image of [-1, 2]) {
      const crop = () =>
        tf.image.cropAndResize(
          tf.ones([2, 3, 3, 1]) as tf.Tensor4D,
          tf.tensor2d([[0, 0, 1, 1]]),
          tf.tensor1d([image], "int32"),
          [2, 2],
        );
      expect(() => tf.tidy(crop)).toThrow(
        `cropAndResize: boxInd must be at least 0 and below the batch of 2, got ${image} at 0`,
      );
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it("topk takes NaN for the largest, as torch.topk does", async () => {
    const values = () =>
      tf.tensor2d([
        [1, NaN, 3, 2],
        [-1, NaN, -Infinity, NaN],
        [NaN, NaN, NaN, NaN],
      ]);
    expectClose(await on(() => tf.topk(values(), 3).values), [NaN, 3, 2, NaN, NaN, -1, NaN, NaN, NaN]);
    expect(await on(() => tf.topk(values(), 3).indices)).toEqual([1, 2, 3, 1, 3, 0, 0, 1, 2]);
  });

  it("topk of equal values takes the first", async () => {
    const values = () =>
      tf.tensor2d([
        [-Infinity, -Infinity, -Infinity],
        [0, -0, 0],
        [2, 3, 3],
      ]);
    expect(await on(() => tf.topk(values(), 2).indices)).toEqual([0, 1, 0, 1, 1, 2]);
  });

  it("a reduction of nothing is its neutral element, and a mean of nothing is NaN", async () => {
    expect(await on(() => tf.max(tf.zeros([0, 2]), 0))).toEqual([-Infinity, -Infinity]);
    expect(await on(() => tf.min(tf.zeros([0, 2]), 0))).toEqual([Infinity, Infinity]);
    expect(await on(() => tf.max(tf.zeros([0], "int32")))).toEqual([least]);
    expect(await on(() => tf.all(tf.zeros([2, 0], "bool"), 1))).toEqual([1, 1]);
    expect(await on(() => tf.cast(tf.min(tf.zeros([0], "bool")), "int32"))).toEqual([1]);
    expect(await on(() => tf.cast(tf.max(tf.zeros([0], "bool")), "int32"))).toEqual([0]);
    expect(await on(() => tf.mean(tf.zeros([2, 0]), 1))).toEqual([NaN, NaN]);
  });

  it("oneHot keeps int32 values that float32 cannot hold", async () => {
    const run = () => tf.oneHot(tf.tensor1d([1], "int32"), 2, most, 16777217, "int32");
    expect(await on(run)).toEqual([16777217, most]);
  });

  it("int32 products and powers keep the low 32 bits, as NumPy's do", async () => {
    const values = () => tf.tensor1d([most, least, 46341], "int32");
    expect(await on(() => tf.mul(values(), values()))).toEqual([1, 0, -2147479015]);
    expect(await on(() => tf.square(values()))).toEqual([1, 0, -2147479015]);
    expect(await on(() => tf.pow(tf.tensor1d([7, -3], "int32"), tf.scalar(33, "int32")))).toEqual([
      Number(BigInt.asIntN(32, 7n ** 33n)),
      Number(BigInt.asIntN(32, (-3n) ** 33n)),
    ]);
  });

  it("mod of floats far apart is exact, as numpy.mod", async () => {
    const run = () => tf.mod(tf.tensor1d([1, -1, 1e-30]), tf.tensor1d([-largest, 1e20, -3]));
    expect(await on(run)).toEqual([-largest, Math.fround(1e20), -3]);
  });

  it("an index on the device that is out of range gathers zeros, as TensorFlow does on GPUs", async () => {
    const indices = () => tf.add(tf.tensor1d([0, 1, 2], "int32"), tf.tensor1d([0, 5, -9], "int32"));
    expect(await on(() => tf.gather(tf.tensor1d([1, 2, 3]), indices()))).toEqual([1, 0, 0]);
  });

  it.each([
    ["silu", silu],
    ["gelu by erf", (x: tf.Tensor) => gelu(x)],
    ["gelu by tanh", (x: tf.Tensor) => gelu(x, "tanh")],
    ["quick gelu", (x: tf.Tensor) => gelu(x, "quick")],
  ])("the slope of %s is 0 or 1 far out, and NaN at NaN", async (_name, activation) => {
    const far = [-largest, -1e20, -1e3, 1e3, 1e20, largest, NaN];
    const slopes = await on(() => tf.grad((x) => activation(x))(tf.tensor1d(far)));
    expectClose(slopes, [0, 0, 0, 1, 1, 1, NaN]);
  });
});
