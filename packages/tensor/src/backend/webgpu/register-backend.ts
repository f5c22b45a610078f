import * as tf from "@tensorflow/tfjs-core";
import type { WebGPUDevice } from "../../device/request-device.js";
import { checkNumber, checkOptions, describe } from "../../shared/check-options.js";
import { backendName } from "./backend-name.js";
import { loadHostKernels } from "./kernels/host.js";
import { registerKernels } from "./kernels/kernel-list.js";
import { WebGPUBackend, type WebGPUBackendOptions } from "./webgpu-backend.js";

/** Parts of a tensor begin at multiples of so many bytes. */
const smallestBinding = 512;

/**
 * Registers tfjs backend "dcr-webgpu" on a device, with every kernel of ours. `await tf.setBackend("dcr-webgpu")` starts
 * it. It also registers tfjs's "cpu" backend, whose kernels compute strings and sparse and ragged tensors.
 *
 * A backend that was registered under the name before is removed with its tensors.
 *
 * @param source the result of `requestWebGPUDevice`.
 * @throws on an unknown option and on a number out of range.
 */
export function registerWebGPUBackend(
  source: Pick<WebGPUDevice, "device" | "isSoftware">,
  options: Omit<WebGPUBackendOptions, "isSoftware"> = {},
): void {
  const name = "registerWebGPUBackend";
  if (!source?.device) {
    throw new TypeError(`${name}: source must be the result of requestWebGPUDevice, got ${describe(source)}`);
  }
  const checked = checkOptions(name, options, {
    subgroups: "boolean",
    maxDispatches: true,
    maxFreeBytes: true,
    maxBindingBytes: true,
    exactHalves: "boolean",
    checkKeys: "boolean",
  });
  const { maxDispatches = 64, maxFreeBytes = 0, maxBindingBytes = smallestBinding } = checked;
  checkNumber(`${name}: maxDispatches`, maxDispatches, { min: 1, integer: true });
  checkNumber(`${name}: maxFreeBytes`, maxFreeBytes, { min: 0 });
  checkNumber(`${name}: maxBindingBytes`, maxBindingBytes, { min: smallestBinding, integer: true });
  if (tf.findBackendFactory(backendName)) tf.removeBackend(backendName);
  tf.registerBackend(backendName, async () => {
    await loadHostKernels();
    return new WebGPUBackend(source.device, { isSoftware: source.isSoftware, ...checked });
  });
  registerKernels();
}
