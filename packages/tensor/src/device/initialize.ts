import * as tf from "@tensorflow/tfjs-core";
import { registerFusedKernels } from "../ops/fused-kernel.js";

export type DeviceChoice = "auto" | "wasm" | "cpu";

export const deviceChoices: readonly DeviceChoice[] = ["auto", "wasm", "cpu"];

export interface DeviceInfo {
  /** Name of the tfjs backend that runs. */
  backend: string;
  kind: Exclude<DeviceChoice, "auto">;
  /** Why this one, in a sentence. */
  reason: string;
}

/**
 * Chooses a device, makes it tfjs's backend and registers every kernel and gradient for it.
 *
 * `"auto"` (the default) takes WebAssembly.
 *
 * @throws when the device asked for is not there; the message says what was tried.
 */
export async function initialize(options: { device?: DeviceChoice } = {}): Promise<DeviceInfo> {
  const { device = "auto" } = options;
  if (!deviceChoices.includes(device)) {
    throw new Error(`initialize: device must be one of ${deviceChoices.join(", ")}, got "${device}"`);
  }
  const info = await start(device);
  registerFusedKernels(info.backend);
  return info;
}

async function start(device: DeviceChoice): Promise<DeviceInfo> {
  switch (device) {
    case "cpu":
      return startCpu();
    case "wasm":
      return startWasm("asked for");
    case "auto":
      return startWasm("the fastest backend of this version");
  }
}

async function startCpu(): Promise<DeviceInfo> {
  await import("@tensorflow/tfjs-backend-cpu");
  await tf.setBackend("cpu");
  return { backend: "cpu", kind: "cpu", reason: "asked for" };
}

async function startWasm(reason: string): Promise<DeviceInfo> {
  const { startWasmBackend } = await import("../wasm/backend.js");
  await startWasmBackend();
  return { backend: "wasm", kind: "wasm", reason };
}
