import * as tf from "@tensorflow/tfjs-core";
import type { WasmOptions } from "../backend/wasm/backend.js";
import type { WebGPUBackend } from "../backend/webgpu/webgpu-backend.js";
import { registerFusedKernels } from "../ops/fused-kernel.js";
import { checkChoice, checkNumber, checkOptions, checkText } from "../shared/check-options.js";

/** `"software"` is a WebGPU adapter that runs on the CPU, such as llvmpipe or SwiftShader. */
export type DeviceChoice = "auto" | "webgpu" | "software" | "wasm" | "cpu";

export const deviceChoices: readonly DeviceChoice[] = ["auto", "webgpu", "software", "wasm", "cpu"];

export interface DeviceOptions extends WasmOptions {
  /** Default `"auto"`. */
  device?: DeviceChoice;
}

export interface DeviceInfo {
  /** Name of the tfjs backend that runs. */
  backend: string;
  kind: Exclude<DeviceChoice, "auto">;
  /** The WebGPU adapter's own name. */
  adapter?: string;
  /** How many threads run our WebAssembly kernels. */
  threads?: number;
  /** Why this one, in a sentence. */
  reason: string;
}

/**
 * Chooses a device, makes it tfjs's backend and registers every kernel and gradient for it.
 *
 * `"auto"` (the default) takes a WebGPU adapter that runs on a GPU where there is one, else WebAssembly.
 *
 * Called again, it keeps a WebGPU device that works, with all tensors. After the loss of the device or an error on it, it
 * opens a new one: what lay on the old one is lost and must be made anew, parameters included. Calls that overlap run one after
 * the other.
 *
 * @throws when the device asked for is not there; the message says what was tried.
 */
export async function initialize(options: DeviceOptions = {}): Promise<DeviceInfo> {
  const checked = checkOptions("initialize", options, { device: true, threads: true, wasmPaths: true });
  const { device = "auto", threads = 1 } = checked;
  checkChoice("initialize: device", device, deviceChoices);
  checkNumber("initialize: threads", threads, { min: 1, integer: true });
  checkWasmPaths(checked.wasmPaths);
  // One after the other: two starts at once would each remove the backend that the other is about to use.
  const info = starting.then(() => start(device, checked));
  starting = info.catch(() => {});
  registerFusedKernels((await info).backend);
  return info;
}

/** The call that was made last; it never rejects. */
let starting: Promise<unknown> = Promise.resolve();

function checkWasmPaths(paths: DeviceOptions["wasmPaths"]): void {
  if (paths === undefined) return;
  if (typeof paths !== "object") checkText("initialize: wasmPaths", paths);
  for (const [name, url] of Object.entries(paths))
    checkText(`initialize: wasmPaths[${JSON.stringify(name)}]`, url);
}

async function start(device: DeviceChoice, options: DeviceOptions): Promise<DeviceInfo> {
  switch (device) {
    case "cpu":
      return startCpu();
    case "wasm":
      return startWasm("asked for", options);
    case "webgpu":
    case "software":
      return startWebGPU(device, "asked for");
    case "auto":
      try {
        return await startWebGPU("webgpu", "a GPU is there");
      } catch (error) {
        const why = (error as Error).message.replace(/^requestWebGPUDevice: /, "");
        return startWasm(`no GPU for WebGPU: ${why}`, options);
      }
  }
}

async function startCpu(): Promise<DeviceInfo> {
  const { correctCpuKernels } = await import("../backend/cpu/correct-kernels.js");
  correctCpuKernels();
  await tf.setBackend("cpu");
  // Else its first write prints a banner that recommends tfjs-node.
  (tf.backend() as unknown as { firstUse: boolean }).firstUse = false;
  return { backend: "cpu", kind: "cpu", reason: "asked for" };
}

async function startWasm(reason: string, options: DeviceOptions): Promise<DeviceInfo> {
  const { startWasmBackend } = await import("../backend/wasm/backend.js");
  const threads = await startWasmBackend(options);
  return { backend: "wasm", kind: "wasm", threads, reason };
}

/** The WebGPU backend that was started here last. */
let started: { backend: WebGPUBackend; info: DeviceInfo } | null = null;

async function startWebGPU(kind: "webgpu" | "software", reason: string): Promise<DeviceInfo> {
  const { requestWebGPUDevice } = await import("./request-device.js");
  const { registerWebGPUBackend } = await import("../backend/webgpu/register-backend.js");
  const { backendName } = await import("../backend/webgpu/backend-name.js");
  if (started?.info.kind === kind && (await started.backend.check()) === null) {
    await tf.setBackend(backendName);
    return { ...started.info, reason };
  }
  const found = await requestWebGPUDevice({ software: kind === "software" });
  registerWebGPUBackend(found);
  started?.backend.device.destroy();
  started = null;
  if (!(await tf.setBackend(backendName))) {
    found.device.destroy();
    throw new Error(`initialize: the WebGPU backend did not start on ${found.name}`);
  }
  const info: DeviceInfo = { backend: backendName, kind, adapter: found.name, reason };
  started = { backend: tf.backend() as WebGPUBackend, info };
  return info;
}
