import * as tf from "@tensorflow/tfjs-core";
import { afterEach, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import { backendName } from "./backend-name.js";
import { registerWebGPUBackend } from "./register-backend.js";
import { webgpuStatistics } from "./webgpu-statistics.js";

const { device } = await webgpuDevice();

describe("webgpuStatistics", () => {
  afterEach(() => {
    if (tf.findBackend(backendName)) tf.removeBackend(backendName);
  });

  it("says that the backend was not started", () => {
    expect(() => webgpuStatistics()).toThrow('webgpuStatistics: backend "dcr-webgpu" was not started');
  });

  it.runIf(device)("counts what a kernel, a read and a second run of both cost", async () => {
    registerWebGPUBackend(device!);
    await tf.setBackend(backendName);
    const x = tf.tensor(Float32Array.from({ length: 8 }, (_, i) => i));
    const negate = async () => {
      const y = tf.neg(x);
      await y.data();
      y.dispose();
    };
    await negate();
    const first = webgpuStatistics();
    expect(first).toEqual({
      dispatches: 1,
      submits: 1,
      uploads: 1,
      uploadedBytes: 32,
      readbacks: 1,
      // Operand, result, and what is mapped for reading.
      buffersCreated: 3,
      bytesAllocated: 32 + 32 + 4096,
      bindGroupsCreated: 1,
      pipelinesCreated: 1,
      dispatchesByKernel: { Neg: 1 },
    });
    await negate();
    expect(webgpuStatistics()).toEqual({
      ...first,
      dispatches: 2,
      submits: 2,
      readbacks: 2,
      dispatchesByKernel: { Neg: 2 },
    });
    x.dispose();
  });
});
