import * as tf from "@tensorflow/tfjs-core";
import { nodeModule } from "../../shared/node-modules.js";
import { nodeRequire } from "../../shared/node-require.js";
import { registerWasmKernels } from "./register.js";

export interface WasmOptions {
  /**
   * Threads of `"wasm"` on a page that is cross-origin isolated, by default one for each core, 8 at most; elsewhere there is
   * one. It is settled when WebAssembly starts.
   */
  threads?: number;
  /**
   * Where a browser finds the files `tfjs-backend-wasm*.wasm` of `@tensorflow/tfjs-backend-wasm/wasm-out`: the URL of their
   * folder, or the URL of each of the three by its name. By default it looks beside the page.
   */
  wasmPaths?: string | Record<string, string>;
}

/** Starts tfjs's WebAssembly backend and gives it the kernels that training needs; returns how many threads run them. */
export async function startWasmBackend(options: WasmOptions = {}): Promise<number> {
  const { threads, wasmPaths = installedFiles() } = options;
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  const { correctCpuKernels } = await import("../cpu/correct-kernels.js");
  correctCpuKernels();
  if (wasmPaths) wasm.setWasmPaths(wasmPaths);
  // tfjs's own kernels get no more than half the cores, whatever is asked for.
  if (threads) wasm.setThreadsCount(threads);
  const failure = workerFailure();
  let started = await Promise.race([tf.setBackend("wasm"), failure.event]);
  failure.ignore();
  if (started === "no workers") {
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    started = await tf.setBackend("wasm");
  }
  if (!started) {
    throw new Error(
      "initialize: the WebAssembly backend did not start; the console says why. In a browser the files " +
        "tfjs-backend-wasm*.wasm must be served, and wasmPaths must say where if that is not beside the page",
    );
  }
  return registerWasmKernels(threads ?? Math.min(8, globalThis.navigator?.hardwareConcurrency ?? 1));
}

/** The folder of tfjs-backend-wasm's files, in Node. */
function installedFiles(): string | undefined {
  if (typeof process === "undefined" || !process.versions?.node) return undefined;
  const { dirname, join, sep } = nodeModule("node:path");
  const folder = dirname(nodeRequire().resolve("@tensorflow/tfjs-backend-wasm/package.json"));
  return join(folder, "wasm-out") + sep;
}

/**
 * Tells when workers do not start, for which tfjs would wait without end: a content security policy forbids them, or a
 * minifier took `typeof` from a name that is unknown in workers, where tfjs's code runs from its text.
 */
function workerFailure(): { event: Promise<"no workers">; ignore(): void } {
  const types = ["error", "securitypolicyviolation"];
  let listener: (event: Event) => void;
  const event = new Promise<"no workers">((resolve) => {
    listener = (event) => {
      const { error, blockedURI } = event as ErrorEvent & SecurityPolicyViolationEvent;
      if (!(error instanceof ErrorEvent) && blockedURI !== "blob") return;
      event.preventDefault();
      resolve("no workers");
    };
    for (const type of types) globalThis.addEventListener?.(type, listener);
  });
  return {
    event,
    ignore: () => {
      for (const type of types) globalThis.removeEventListener?.(type, listener);
    },
  };
}
