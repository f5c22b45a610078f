import { fileURLToPath } from "node:url";
import { expectClose, expectNoLeaks, type Tolerance } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import "../gradients/register.js";
import { type DeviceChoice, initialize } from "../device/initialize.js";
import { requestWebGPUDevice } from "../device/request-device.js";
import { readSafetensors } from "../io/files.js";
import type { StateDict } from "../nn/module.js";
import { gelu, silu } from "./activation.js";
import { scaledDotProductAttention } from "./attention.js";
import { conv2d, type Padding } from "./conv2d.js";
import { groupNorm } from "./group-norm.js";
import { l2Normalize } from "./l2-normalize.js";
import { layerNorm } from "./layer-norm.js";
import { linear } from "./linear.js";
import { upsampleNearest2d } from "./upsample.js";

type Inputs = Record<string, tf.Tensor>;

const attention =
  (heads: number, causal = false) =>
  ({ query, key, value }: Inputs) =>
    scaledDotProductAttention(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, {
      heads,
      causal,
    });
const conv =
  (stride: number, padding: Padding) =>
  ({ x, weight, bias }: Inputs) =>
    conv2d(x as tf.Tensor4D, weight as tf.Tensor4D, bias as tf.Tensor1D, { stride, padding });
const normed =
  (activation?: "silu") =>
  ({ x, weight, bias }: Inputs) =>
    groupNorm(x as tf.Tensor4D, weight as tf.Tensor1D, bias as tf.Tensor1D, { groups: 3, activation });

const cases: Record<string, (inputs: Inputs) => tf.Tensor> = {
  attention: attention(3),
  "attention-causal": attention(2, true),
  "attention-shared": attention(2),
  layerNorm: ({ x, weight, bias }) => layerNorm(x, weight as tf.Tensor1D, bias as tf.Tensor1D),
  groupNorm: normed(),
  "groupNorm-silu": normed("silu"),
  "gelu-erf": ({ input }) => gelu(input),
  "gelu-tanh": ({ x }) => gelu(x, "tanh"),
  "gelu-quick": ({ x }) => gelu(x, "quick"),
  silu: ({ input }) => silu(input),
  linear: ({ x, weight, bias }) => linear(x, weight as tf.Tensor2D, bias as tf.Tensor1D),
  conv2d: conv(1, 1),
  "conv2d-stride": conv(2, 1),
  "conv2d-asymmetric": conv(2, [
    [0, 1],
    [0, 1],
  ]),
  "conv2d-pointwise": conv(1, 0),
  "conv2d-patches": conv(4, 0),
  upsample: ({ x }) => upsampleNearest2d(x as tf.Tensor4D),
  l2Normalize: ({ x }) => l2Normalize(x),
};

// An adapter is there where a Vulkan driver is; without one, this says so and the other devices remain.
const adapter = await requestWebGPUDevice({ software: true }).catch((error: Error) => error);
const devices: DeviceChoice[] = adapter instanceof Error ? ["cpu", "wasm"] : ["cpu", "wasm", "software"];

if (adapter instanceof Error) {
  it("names what is missing where there is no WebGPU adapter", () => {
    expect(adapter.message).toMatch(/WebGPU/);
  });
}

/** WebGPU reads asynchronously alone. */
async function expectSame(actual: tf.Tensor, expected: tf.Tensor, tolerance: Tolerance): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  expectClose(await actual.data(), await expected.data(), tolerance);
}

describe.each(devices)("fused ops on %s", (device) => {
  let golden: StateDict;
  beforeAll(async () => {
    await initialize({ device });
    golden = await readSafetensors(fileURLToPath(new URL("../../fixtures/ops.safetensors", import.meta.url)));
  });
  afterAll(() => tf.dispose(golden));

  it.each(Object.keys(cases))("%s has PyTorch's output and gradients", async (name) => {
    const prefix = `${name}.in.`;
    const names = Object.keys(golden).flatMap((key) =>
      key.startsWith(prefix) ? [key.slice(prefix.length)] : [],
    );
    expect(names.length).toBeGreaterThan(0);
    const run = (...values: tf.Tensor[]) =>
      cases[name](Object.fromEntries(values.map((value, i) => [names[i], value])));
    await expectNoLeaks(async () => {
      const inputs = names.map((key) => golden[prefix + key]);
      const y = run(...inputs);
      await expectSame(y, golden[`${name}.y`], { relative: 1e-5, absolute: 2e-6 });
      const gradients = tf.grads((...values: tf.Tensor[]) =>
        tf.sum(tf.mul(run(...values), golden[`${name}.weight`])),
      )(inputs);
      for (const [i, key] of names.entries()) {
        await expectSame(gradients[i], golden[`${name}.grad.${key}`], { relative: 1e-5, absolute: 5e-6 });
      }
      tf.dispose([y, gradients]);
    });
  });
});

describe("fused ops' errors", () => {
  it("name the argument and both shapes", async () => {
    await initialize({ device: "cpu" });
    const zeros = (...shape: number[]) => tf.zeros(shape) as never;
    tf.tidy(() => {
      expect(() => linear(zeros(2, 3), zeros(5, 4))).toThrow(/x must end in 4.*got x \[2,3\]/);
      expect(() =>
        scaledDotProductAttention(zeros(1, 2, 6), zeros(1, 2, 6), zeros(1, 2, 6), { heads: 4 }),
      ).toThrow(/heads = 4, got \[1,2,6\]/);
      expect(() => groupNorm(zeros(1, 2, 2, 5), zeros(5), zeros(5), { groups: 2 })).toThrow(/multiple of 2/);
      expect(() => layerNorm(zeros(2, 4), zeros(3), null)).toThrow(/weight must have shape \[4\].*got \[3\]/);
      expect(() => conv2d(zeros(1, 4, 4, 2), zeros(3, 3, 3, 1))).toThrow(/height, width, 3\]/);
      expect(() => gelu(zeros(2), "soft" as never)).toThrow(/"erf", "tanh" or "quick", got "soft"/);
    });
  });
});

describe("lazy gradients", () => {
  it("are not computed for inputs that are not asked for", async () => {
    await initialize({ device: "wasm" });
    const [q, k] = [tf.ones([1, 2, 4]), tf.ones([1, 3, 4])] as [tf.Tensor3D, tf.Tensor3D];
    const profile = await tf.profile(() =>
      tf.grad((x) => scaledDotProductAttention(x as tf.Tensor3D, k, k, { heads: 2 }))(q),
    );
    expect(profile.kernelNames).toContain("ScaledDotProductAttentionGradQuery");
    expect(profile.kernelNames).not.toContain("ScaledDotProductAttentionGradKey");
    tf.dispose([q, k, profile.result]);
  });
});
