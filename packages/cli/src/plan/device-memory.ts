import { freemem } from "node:os";
import { type DeviceInfo, requestWebGPUDevice } from "@dcr-js/tensor";
import type { DeviceMemory } from "./plan-memory.js";

/** WebAssembly addresses 4 GiB; some of it is the engine's own. */
const wasmBytes = 2 ** 32 - 2 ** 27;

/** Finds a device's memory. WebGPU says how large a tensor may be, and nothing of a GPU's whole memory. */
export async function deviceMemory({ kind, adapter }: DeviceInfo): Promise<DeviceMemory> {
  switch (kind) {
    case "wasm":
      return { name: "WebAssembly", total: Math.min(wasmBytes, freemem()), largestTensor: 2 ** 31 - 1 };
    case "cpu":
      return { name: "this machine", total: freemem() };
    case "software":
    case "webgpu": {
      const { device, limits } = await requestWebGPUDevice({ software: kind === "software" });
      device.destroy();
      const largestTensor = limits.maxBufferSize;
      const name = adapter ?? kind;
      const ofWebGPU = { name, largestTensor, keepsBuffers: true };
      return kind === "software" ? { ...ofWebGPU, total: freemem() } : ofWebGPU;
    }
  }
}
