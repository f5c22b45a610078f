import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../../shared/check-options.js";
import { WebGPUBackend } from "./webgpu-backend.js";

/**
 * Compiles the shaders that `f` needs side by side and without blocking the host, so that the first real run need not compile them one
 * after the other. On other backends it does nothing. It does not help with a driver that compiles a shader when it is first
 * dispatched, such as llvmpipe.
 *
 * `f` is called once, but its kernels are not run: tensors inside hold nothing, take no memory of the device, and are disposed at its
 * end. So it must not depend on values or change state: call the model and take gradients, but leave out optimizer steps.
 *
 * @returns how many shaders were compiled.
 * @throws when `f` is async.
 */
export async function warm(f: () => unknown): Promise<number> {
  if (typeof f !== "function") throw new TypeError(`warm: f must be a function, got ${describe(f)}`);
  const backend = tf.backend();
  return backend instanceof WebGPUBackend ? backend.warm(f) : 0;
}
