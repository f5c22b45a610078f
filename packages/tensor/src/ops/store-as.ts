import * as tf from "@tensorflow/tfjs-core";
import type { FloatStorage } from "../backend/webgpu/store.js";
import { WebGPUBackend } from "../backend/webgpu/webgpu-backend.js";
import { checkChoice } from "../shared/check-options.js";
import { checkFloatTensors } from "./check-float-tensors.js";

/** Whether tensors can be stored as float16: on backend "dcr-webgpu", where its adapter has shader-f16. */
export function hasFloat16Storage(): boolean {
  const backend = tf.backend();
  return backend instanceof WebGPUBackend && backend.device.features.has("shader-f16");
}

function float16Backend(caller: string): WebGPUBackend {
  const backend = tf.backend();
  if (backend instanceof WebGPUBackend && hasFloat16Storage()) return backend;
  const lack =
    backend instanceof WebGPUBackend ? "an adapter with shader-f16" : `WebGPU, and "${tf.getBackend()}" runs`;
  throw new Error(`${caller}: float16 storage needs ${lack}; see hasFloat16Storage, and use float32`);
}

/** Refuses what is no name of a storage. */
export function checkStorage(caller: string, storage: FloatStorage): void {
  checkChoice(`${caller}: storage`, storage, ["float32", "float16"]);
}

/** How a tensor is stored. */
export function storageOf(x: tf.Tensor): FloatStorage {
  const backend = tf.engine().state.tensorInfo.get(x.dataId)?.backend;
  return backend instanceof WebGPUBackend ? backend.storageOf(x.dataId) : "float32";
}

/**
 * A float32 tensor's values stored as float16, in half the memory, or as float32 again.
 *
 * float16 rounds each value to the nearest of 11 significant bits: by at most 2^-11 of it, or 2^-25 where it is below 2^-14 in size;
 * from 65520 on it becomes an infinity. The device rounds the values that it computed itself; WGSL lets it take the other neighbour, and 65504 for an infinity.
 * The tensor's dtype stays float32; every op takes it, and computes in float32.
 *
 * @returns a fresh tensor, the caller disposes it. Its gradient passes unchanged.
 * @throws for float16 where `hasFloat16Storage()` is false.
 */
export function storeAs<T extends tf.Tensor>(x: T, storage: FloatStorage): T {
  checkFloatTensors("storeAs", { x });
  checkStorage("storeAs", storage);
  if (storage === "float16") float16Backend("storeAs");
  if (!tf.getKernel("StoreAs", tf.getBackend())) return tf.clone(x);
  return tf.engine().runKernel("StoreAs", { x }, { storage }) as T;
}

tf.registerGradient({
  kernelName: "StoreAs",
  gradFunc: (dy) => ({ x: () => tf.clone(dy as tf.Tensor) }),
});

/** How the results of ops are stored now: as float16 inside `float16Activations`, except in a backward pass. */
export function activationStorage(): FloatStorage {
  const backend = tf.backend();
  return backend instanceof WebGPUBackend && backend.storesActivationsAsFloat16 ? "float16" : "float32";
}

/** A tensor stored as float16 of these bits, which go to the device as they are; the caller disposes it. */
export function float16Tensor(bits: Uint16Array<ArrayBuffer>, shape: number[]): tf.Tensor {
  const backend = float16Backend("float16Tensor");
  return tf.engine().makeTensorFromTensorInfo(backend.fromHalves(bits, shape), backend);
}

/**
 * Runs `f` with activations stored as float16: what matrix products, convolutions and attention give, and what norms, pools and
 * elementwise ops make of such; of float32, or of both, they make float32. Each is computed in float32 and then rounded as by
 * `storeAs`, so that what exceeds 65504 in size becomes an infinity. Reductions, softmax and all that gradients are made of stay float32.
 *
 * @param f not async; end it before the loss: `const z = float16Activations(() => encoder.forward(x));`
 * @throws where `hasFloat16Storage()` is false.
 */
export function float16Activations<T>(f: () => T): T {
  const result = float16Backend("float16Activations").float16Activations(f);
  if (tf.util.isPromise(result)) throw new Error("float16Activations: f must not be async");
  return result;
}
