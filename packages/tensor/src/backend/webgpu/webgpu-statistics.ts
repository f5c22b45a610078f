import * as tf from "@tensorflow/tfjs-core";
import { backendName } from "./backend-name.js";
import type { WebGPUStatistics } from "./statistics.js";
import type { WebGPUBackend } from "./webgpu-backend.js";

/**
 * A copy of the counts so far.
 *
 * @throws when backend "dcr-webgpu" was not started.
 */
export function webgpuStatistics(): WebGPUStatistics {
  const backend = tf.findBackend(backendName) as WebGPUBackend | null;
  if (!backend) throw new Error(`webgpuStatistics: backend "${backendName}" was not started`);
  return structuredClone(backend.statistics);
}
