import * as tf from "@tensorflow/tfjs-core";
import type { KernelTime } from "./dispatch-timer.js";
import { WebGPUBackend } from "./webgpu-backend.js";

/**
 * Runs `f` and tells where the device's time went: dispatches and milliseconds by tfjs kernel, the largest first, from the
 * device's own timestamps. `f` may be async; what it makes is its caller's.
 *
 * Each dispatch gets a pass of its own meanwhile, so that the whole takes longer than it does else. The first run of a shader
 * may include its compilation: profile a second run. Browsers round timestamps, to about 0.1 ms, which sums over many
 * dispatches even out; Node does not.
 *
 * @throws when tfjs runs another backend than "dcr-webgpu", when the device has no timestamps (feature "timestamp-query"), and
 * when another profile is under way.
 */
export async function profile(f: () => unknown): Promise<Record<string, KernelTime>> {
  const backend = tf.backend();
  if (!(backend instanceof WebGPUBackend)) {
    throw new Error(`profile: only the WebGPU backend times its kernels, and tfjs runs "${tf.getBackend()}"`);
  }
  return backend.profile(f);
}
