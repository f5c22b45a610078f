import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import "../../shared/register-gradients.js";
import { backendName } from "./backend-name.js";
import { registerWebGPUBackend } from "./register-backend.js";
import { warm } from "./warm.js";
import type { WebGPUBackend } from "./webgpu-backend.js";
import { webgpuStatistics } from "./webgpu-statistics.js";

const { device } = await webgpuDevice();

const values = normalArray(1, 64 * 32);

/** A loss and its gradient. */
const model = () =>
  tf.tidy(() => {
    const x = tf.tensor2d(values, [64, 32]);
    return tf.grad((w: tf.Tensor) => tf.mean(tf.square(tf.softmax(tf.matMul(x, w)))))(tf.fill([32, 8], 0.5));
  });

it("does nothing on other backends", async () => {
  await tf.setBackend("cpu");
  let calls = 0;
  expect(await warm(() => calls++)).toBe(0);
  expect(calls).toBe(0);
});

if (device)
  describe("warm", () => {
    beforeEach(async () => {
      registerWebGPUBackend(device, { checkKeys: true });
      await tf.setBackend(backendName);
    });
    afterAll(() => tf.removeBackend(backendName));

    it("compiles what is needed, without a dispatch, a buffer or a tensor left", async () => {
      const { numTensors, numDataBuffers, numBytes } = tf.memory();
      const count = await warm(model);
      expect(count).toBeGreaterThan(4);
      expect(webgpuStatistics()).toMatchObject({ dispatches: 0, buffersCreated: 0, pipelinesCreated: count });
      expect(tf.memory()).toMatchObject({ numTensors, numDataBuffers, numBytes, numBytesInGPU: 0 });
      const gradient = model();
      expect(webgpuStatistics().pipelinesCreated).toBe(count);
      expect(await warm(model)).toBe(0);
      const actual = await gradient.data();
      gradient.dispose();
      await tf.setBackend("cpu");
      const expected = model();
      expectClose(actual, await expected.data(), { relative: 1e-4, absolute: 1e-7 });
      expected.dispose();
    });

    it("compiles once where a launch comes first", async () => {
      const warming = warm(model);
      const gradient = model();
      await warming;
      await gradient.data();
      gradient.dispose();
      expect(await warm(model)).toBe(0);
    });

    it("does not let tensors out that hold nothing", async () => {
      const kept: tf.Tensor[] = [];
      await warm(() => kept.push(tf.keep(tf.neg(tf.fill([8], 1)))));
      expect(() => tf.square(kept[0])).toThrow(
        /Square of x \[8\] needs a tensor \[8\] that holds nothing.*warm\(\)/,
      );
      await expect(kept[0].data()).rejects.toThrow("holds nothing");
      tf.dispose(kept);
    });

    it("refuses an async function, and runs kernels again after it", async () => {
      await expect(warm(async () => {})).rejects.toThrow("f must not be async");
      await expect(warm(() => tf.matMul(tf.ones([2, 3]), tf.ones([2, 3])))).rejects.toThrow("matMul");
      const y = tf.neg(tf.fill([8], 1));
      expect((await y.data())[7]).toBe(-1);
      y.dispose();
    });

    it("leaves a shader that does not compile to its launch", async () => {
      const x = tf.fill([8], 1);
      const broken = () => {
        const backend = tf.backend() as WebGPUBackend;
        const outputs = [{ name: "y", info: backend.output([8], "float32") }];
        backend.launch({ name: "Broken", key: "", inputs: [], outputs, count: 8, body: () => "nothing;" });
      };
      expect(await warm(broken)).toBe(0);
      expect(await x.data()).toEqual(new Float32Array(8).fill(1));
      broken();
      await expect(tf.neg(x).data()).rejects.toThrow(/the shader of .* failed/s);
      x.dispose();
    });
  });
