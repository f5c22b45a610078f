import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../../shared/check-options.js";
import type { KernelTime } from "./dispatch-timer.js";
import { WebGPUBackend } from "./webgpu-backend.js";

/**
 * Runs `f` and tells where the device's time went: dispatches and milliseconds by tfjs kernel, the largest first, from the
 * device's own timestamps. `f` may be async; the caller disposes the tensors that it makes.
 *
 * Each dispatch gets a pass of its own meanwhile, so the run takes longer than without. The first run of a shader may
 * include its compilation: profile a second run. Browsers round timestamps to about 0.1 ms, so only sums over many dispatches are
 * exact there; Node does not round.
 *
 * @throws when tfjs runs another backend than "dcr-webgpu", when the device has no timestamps (feature "timestamp-query"), and
 * when another profile is under way.
 */
export async function profile(f: () => unknown): Promise<Record<string, KernelTime>> {
  if (typeof f !== "function") throw new TypeError(`profile: f must be a function, got ${describe(f)}`);
  const backend = tf.backend();
  if (!(backend instanceof WebGPUBackend)) {
    throw new Error(`profile: only the WebGPU backend times its kernels, and tfjs runs "${tf.getBackend()}"`);
  }
  return backend.profile(f);
}
