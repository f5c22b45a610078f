import { initialize, requestWebGPUDevice } from "@dcr-js/tensor";
import type { Probe } from "./probe-devices.js";

/** Looks for one kind of device. This runs in a process of its own, since a broken driver ends the process. */
async function probe(kind: string): Promise<Probe> {
  if (kind !== "webgpu" && kind !== "software") {
    const { threads = 1 } = await initialize({ device: "wasm" });
    return { found: true, name: `${threads} ${threads === 1 ? "thread" : "threads"}` };
  }
  const { name, features, limits, reason } = await requestWebGPUDevice({ software: kind === "software" });
  return {
    found: true,
    name,
    reason,
    features: [...features].filter((feature) =>
      ["shader-f16", "subgroups", "timestamp-query"].includes(feature),
    ),
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
  };
}

const result = await probe(process.argv[2]!).catch(
  (error: Error): Probe => ({ found: false, why: error.message }),
);
process.send?.(result, () => process.exit(0));
