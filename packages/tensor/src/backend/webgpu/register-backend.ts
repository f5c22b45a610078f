import * as tf from "@tensorflow/tfjs-core";
import type { WebGPUDevice } from "../../device/request-device.js";
import { backendName } from "./backend-name.js";
import { loadHostKernels } from "./kernels/host.js";
import { registerKernels } from "./kernels/kernel-list.js";
import { WebGPUBackend, type WebGPUBackendOptions } from "./webgpu-backend.js";

/**
 * Registers tfjs backend "dcr-webgpu" on a device, with every kernel of ours. `await tf.setBackend("dcr-webgpu")` starts
 * it. It also registers tfjs's "cpu" backend, whose kernels compute strings and sparse and ragged tensors.
 *
 * A backend that was registered under the name before is removed with its tensors.
 *
 * @param source the result of `requestWebGPUDevice`.
 */
export function registerWebGPUBackend(
  source: Pick<WebGPUDevice, "device" | "isSoftware">,
  options: Omit<WebGPUBackendOptions, "isSoftware"> = {},
): void {
  if (tf.findBackendFactory(backendName)) tf.removeBackend(backendName);
  tf.registerBackend(backendName, async () => {
    await loadHostKernels();
    return new WebGPUBackend(source.device, { isSoftware: source.isSoftware, ...options });
  });
  registerKernels();
}
