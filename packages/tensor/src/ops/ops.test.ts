import { fileURLToPath } from "node:url";
import { expectClose, expectNoLeaks, type Tolerance } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fusedOps, goldenCase } from "../../test/fused-ops.js";
import { type DeviceChoice, initialize } from "../device/initialize.js";
import { requestWebGPUDevice } from "../device/request-device.js";
import * as ops from "../index.js";
import { readSafetensors } from "../io/files.js";
import type { StateDict } from "../nn/module.js";

const { conv2d, geglu, gelu, groupNorm, layerNorm, linear, scaledDotProductAttention } = ops;
const cases = fusedOps(ops);

// An adapter is there where a Vulkan driver is; without one, this says so and the other devices remain.
const adapter = await requestWebGPUDevice({ software: true }).catch((error: Error) => error);
const devices: DeviceChoice[] = adapter instanceof Error ? ["cpu", "wasm"] : ["cpu", "wasm", "software"];

if (adapter instanceof Error) {
  it("names what is missing where there is no WebGPU adapter", () => {
    expect(adapter.message).toMatch(/WebGPU/);
  });
}

/** WebGPU reads asynchronously only. */
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
    const { names, inputs, output, weight, gradients: expected } = goldenCase(golden, name);
    expect(names.length).toBeGreaterThan(0);
    const run = (...values: tf.Tensor[]) =>
      cases[name](Object.fromEntries(values.map((value, i) => [names[i], value])));
    await expectNoLeaks(async () => {
      const y = run(...inputs);
      await expectSame(y, output, { relative: 1e-5, absolute: 2e-6 });
      const gradients = tf.grads((...values: tf.Tensor[]) => tf.sum(tf.mul(run(...values), weight)))(inputs);
      for (const [i, gradient] of gradients.entries()) {
        await expectSame(gradient, expected[i], { relative: 1e-5, absolute: 5e-6 });
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
      expect(() => layerNorm(zeros(2, 4), null, null, { epsilon: -1 })).toThrow(
        "layerNorm: epsilon must be a finite number, at least 0, got -1",
      );
      // @ts-expect-error: an epsilon is given by name.
      expect(() => layerNorm(zeros(2, 4), null, null, 1e-5)).toThrow(/layerNorm/);
      expect(() => layerNorm(zeros(2, 4), zeros(3), null)).toThrow(/weight must have shape \[4\].*got \[3\]/);
      expect(() => conv2d(zeros(1, 4, 4, 2), zeros(3, 3, 3, 1))).toThrow(/height, width, 3\]/);
      // PyTorch refuses these too ("Kernel size can't be greater than actual input size").
      expect(() => conv2d(zeros(1, 1, 1, 3), zeros(3, 3, 3, 8))).toThrow(
        "conv2d: the kernel of 3 x 3 must fit into x [1,1,1,3] with padding 0",
      );
      expect(() => conv2d(zeros(1, 4, 4, 3), zeros(3, 3, 3, 8), null, { padding: [1, 1] } as never)).toThrow(
        "conv2d: padding must be a number or [[top, bottom], [left, right]], got [1,1]",
      );
      expect(
        () =>
          new ops.Conv2d(3, 8, 3, {
            padding: [
              [1, 1, 5],
              [1, 1],
            ],
          } as never),
      ).toThrow("Conv2d: padding must be");
      expect(() => groupNorm(zeros(1, 2, 2, 4), zeros(4, 2) as never, zeros(4), { groups: 2 })).toThrow(
        "weight and bias must have shape [4], got [4,2] and [4]",
      );
      expect(() =>
        scaledDotProductAttention(zeros(1, 2, 8), zeros(1, 2, 8, 5) as never, zeros(1, 2, 8, 5) as never, {
          heads: 2,
        }),
      ).toThrow("key and value must be [1 or 1, tokens, 8], got [1,2,8,5]");
      expect(() => linear(zeros(2, 3), zeros(5, 3), null, zeros(1, 5))).toThrow(/shape \[2,5\], got \[1,5\]/);
      expect(() =>
        conv2d(zeros(1, 4, 4, 2), zeros(3, 3, 2, 1), null, { residual: zeros(1, 4, 4, 1) }),
      ).toThrow(/\[1,2,2,1\] or \[1,1,1,1\], got \[1,4,4,1\]/);
      expect(() => conv2d(zeros(1, 4, 4, 2), zeros(3, 3, 2, 3), zeros(1) as never)).toThrow(
        /bias must have shape \[3\], got \[1\]/,
      );
      expect(() => geglu(zeros(2, 3))).toThrow(/two halves.*got \[2,3\]/);
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
