import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";
import { registerWebGPUBackend, requestWebGPUDevice, webgpuBackendName } from "@dcr-js/tensor";
import { defaultDevice, init, numpy } from "@jax-js/jax";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { WebGPUBackend as OfficialBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import { type Case, hostInputs, type Side } from "./case.js";

/** A case in progress on one contender. */
export interface Running {
  /** Every output of one run. */
  values: () => Promise<Float32Array[]>;
  /** Runs `times` times without waiting in between. */
  repeat: (times: number) => Promise<void>;
  /** Milliseconds a run, from `times` runs and one read that waits for them all. */
  measure: (times: number) => Promise<number>;
  dispose: () => Promise<void>;
}

export interface Contender {
  name: string;
  /** Null where it has no such case. */
  start: (what: Case) => Promise<Running> | null;
}

export const peerNames = ["tfjs-backend-webgpu", "tfjs-backend-wasm", "jax-js"] as const;
export type PeerName = (typeof peerNames)[number];

/** Ours first, then the peers, each started once; the WebGPU ones have a device each, of the same adapter. */
export async function startContenders(
  peers: readonly PeerName[],
): Promise<{ adapter: string; contenders: Contender[] }> {
  await exposeWebGPU();
  const { name, ...source } = await requestWebGPUDevice();
  registerWebGPUBackend(source);
  const contenders = [await tfjsContender("ours", webgpuBackendName, "ours")];
  for (const peer of peers) contenders.push(await starters[peer](peer));
  return { adapter: name, contenders };
}

const starters: Record<PeerName, (name: string) => Promise<Contender>> = {
  "tfjs-backend-webgpu": async (name) => {
    const { device } = await requestWebGPUDevice();
    type AdapterInfo = ConstructorParameters<typeof OfficialBackend>[1];
    tf.registerBackend("webgpu", () => new OfficialBackend(device, device.adapterInfo as AdapterInfo));
    const contender = await tfjsContender(name, "webgpu", "stock");
    if (!(tf.backend() instanceof OfficialBackend)) throw new Error(`${name}: another backend has its name`);
    addInParts("webgpu", device.limits.maxStorageBuffersPerShaderStage - 1);
    return contender;
  },
  "tfjs-backend-wasm": async (name) => {
    const manifest = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json");
    setWasmPaths(join(dirname(manifest), "wasm-out") + sep);
    const contender = await tfjsContender(name, "wasm", "stock");
    // Only `initialize` registers our kernels for this backend, and nothing here calls it.
    if (tf.getKernel("Gelu", "wasm")) throw new Error(`${name}: has kernels of ours`);
    return contender;
  },
  "jax-js": async (name) => {
    if (!(await init("webgpu")).includes("webgpu"))
      throw new Error(`${name}: its WebGPU backend did not start`);
    defaultDevice("webgpu");
    return { name, start: (what) => (what.jax ? startJax(what.jax) : null) };
  },
};

/**
 * tfjs-backend-webgpu binds all operands of AddN at once, and fails where an adapter binds fewer. In parts it can take
 * its turn in a training step, which adds the squares of all gradients.
 */
function addInParts(backend: string, most: number): void {
  const theirs = tf.getKernel("AddN", backend);
  tf.unregisterKernel("AddN", backend);
  tf.registerKernel({
    ...theirs,
    kernelFunc: (params) => {
      let terms = Object.values(params.inputs) as tf.Tensor[];
      if (terms.length <= most) return theirs.kernelFunc(params);
      return tf.tidy(() => {
        while (terms.length > most) terms = [tf.addN(terms.slice(0, most)), ...terms.slice(most)];
        return tf.addN(terms);
      });
    },
  });
}

/** tfjs-backend-webgpu and jax-js look for `navigator.gpu`; whoever holds it keeps Dawn's instance alive. */
async function exposeWebGPU(): Promise<void> {
  const { create, globals } = await import("webgpu");
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  Object.defineProperty(globalThis, "navigator", {
    value: { gpu: create([]), userAgent: `Node.js/${process.versions.node}` },
    configurable: true,
  });
}

async function use(backend: string): Promise<void> {
  await tf.setBackend(backend);
  if (tf.getBackend() !== backend) throw new Error(`tfjs runs "${tf.getBackend()}", not "${backend}"`);
}

async function tfjsContender(name: string, backend: string, side: Side): Promise<Contender> {
  await use(backend);
  return {
    name,
    start: async (what) => {
      await use(backend);
      const { run, dispose } = await what.prepare(side);
      const repeat = async (times: number) => {
        await use(backend);
        for (let i = 1; i < times; i++) tf.dispose(await run());
        return run();
      };
      return {
        values: async () => {
          const outputs = await repeat(1);
          const values = await Promise.all(outputs.map((output) => output.data<"float32">()));
          tf.dispose(outputs);
          return values;
        },
        repeat: async (times) => tf.dispose(await repeat(times)),
        measure: async (times) => {
          await use(backend);
          const start = performance.now();
          const outputs = await repeat(times);
          const element = tf.tidy(() => tf.slice(tf.reshape(outputs[outputs.length - 1], [-1]), 0, 1));
          await element.data();
          const elapsed = performance.now() - start;
          tf.dispose([element, ...outputs]);
          return elapsed / times;
        },
        dispose: async () => {
          await use(backend);
          dispose();
        },
      };
    },
  };
}

/** jax-js consumes its arguments: `.ref` is one more reference. */
async function startJax({ shapes, run }: NonNullable<Case["jax"]>): Promise<Running> {
  const inputs = hostInputs(shapes).map((values, i) =>
    numpy.array(values as Float32Array<ArrayBuffer>, { shape: shapes[i] }),
  );
  const repeat = (times: number) => {
    for (let i = 1; i < times; i++) run(...inputs.map((input) => input.ref)).dispose();
    return run(...inputs.map((input) => input.ref));
  };
  return {
    values: async () => [(await repeat(1).data()) as Float32Array],
    repeat: async (times) => repeat(times).dispose(),
    measure: async (times) => {
      const start = performance.now();
      const y = await repeat(times).blockUntilReady();
      const elapsed = performance.now() - start;
      y.dispose();
      return elapsed / times;
    },
    dispose: async () => {
      for (const input of inputs) input.dispose();
    },
  };
}
