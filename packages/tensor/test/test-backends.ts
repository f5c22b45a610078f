import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { correctCpuKernels } from "../src/backend/cpu/correct-kernels.js";
import { startWasmBackend } from "../src/backend/wasm/backend.js";
import { backendName } from "../src/backend/webgpu/backend-name.js";
import { registerWebGPUBackend } from "../src/backend/webgpu/register-backend.js";
import { requestWebGPUDevice, type WebGPUDevice } from "../src/device/request-device.js";
import { registerFusedKernels } from "../src/ops/fused-kernel.js";
import "../src/shared/register-gradients.js";

/** A backend that suites run on. */
export interface TestBackend {
  name: string;
  /** Makes it tfjs's backend. */
  start: () => Promise<void>;
}

/** The WebGPU device of this machine, or null; `reason` says why it is null. */
export async function webgpuDevice(): Promise<{ device: WebGPUDevice | null; reason: string }> {
  try {
    return { device: await requestWebGPUDevice(), reason: "" };
  } catch (error) {
    return { device: null, reason: (error as Error).message };
  }
}

/** Every backend that this machine has: cpu, wasm, and dcr-webgpu where there is an adapter. Suites run on each. */
export async function testBackends(): Promise<TestBackend[]> {
  const { device } = await webgpuDevice();
  correctCpuKernels();
  const backends: TestBackend[] = [
    { name: "cpu", start: async () => void (await tf.setBackend("cpu")) },
    { name: "wasm", start: async () => void (await startWasmBackend()) },
  ];
  if (device) {
    registerWebGPUBackend(device, { checkKeys: true });
    backends.push({ name: backendName, start: async () => void (await tf.setBackend(backendName)) });
  }
  return backends.map(({ name, start }) => ({
    name,
    start: async () => {
      await start();
      if (tf.getBackend() !== name)
        throw new Error(`expected backend "${name}", tfjs runs "${tf.getBackend()}"`);
      registerFusedKernels(name);
    },
  }));
}
