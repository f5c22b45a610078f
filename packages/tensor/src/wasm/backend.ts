import * as tf from "@tensorflow/tfjs-core";
import { nodeModule } from "../io/node-modules.js";
import { registerWasmKernels } from "./register.js";

/** Starts tfjs's WebAssembly backend and gives it the kernels that training needs; returns how many threads run them. */
export async function startWasmBackend(threads?: number): Promise<number> {
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  if (typeof process !== "undefined" && process.versions?.node) {
    const { createRequire } = nodeModule("node:module");
    const { dirname, join, sep } = nodeModule("node:path");
    const require = createRequire(import.meta.url);
    const folder = dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"));
    wasm.setWasmPaths(join(folder, "wasm-out") + sep);
  }
  // tfjs's own kernels get no more than half the cores, whatever is asked for.
  if (threads) wasm.setThreadsCount(threads);
  if (!(await tf.setBackend("wasm"))) {
    throw new Error("initialize: the WebAssembly backend did not start");
  }
  return registerWasmKernels(threads ?? Math.min(8, globalThis.navigator?.hardwareConcurrency ?? 1));
}
