import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import "../../shared/register-gradients.js";
import { scaledDotProductAttention } from "../../ops/attention.js";
import { registerFusedKernels } from "../../ops/fused-kernel.js";
import { layerNorm } from "../../ops/layer-norm.js";
import { startWasmBackend } from "./backend.js";
import { runNamed } from "./memory.js";
import { address, wasmBackend } from "./simd-kernels.js";

/** The sum of what a few kernels with scratch memory make, and its gradients; the address of the input. */
function compute(): { values: number[]; at: number } {
  const x = tf.tensor4d(normalArray(1, 2 * 6 * 6 * 4), [2, 6, 6, 4]);
  const filter = tf.tensor4d(normalArray(2, 3 * 3 * 4 * 4), [3, 3, 4, 4]);
  const weight = tf.tensor1d(normalArray(3, 4));
  const bias = tf.zeros<tf.Rank.R1>([4]);
  const { value, grads } = tf.valueAndGrads((x, filter, weight) => {
    const y = tf.conv2d(x as tf.Tensor4D, filter as tf.Tensor4D, 1, "same");
    return tf.sum(tf.maxPool(layerNorm(y, weight as tf.Tensor1D, bias) as tf.Tensor4D, 2, 2, "valid"));
  })([x, filter, weight]);
  const values = [value, ...grads].flatMap((tensor) => [...tensor.dataSync()]);
  const at = address(wasmBackend(), x);
  tf.dispose([x, filter, weight, bias, value, grads]);
  return { values, at };
}

it("computes the same in the upper half of the memory, where addresses have all 32 bits", async () => {
  await startWasmBackend();
  registerFusedKernels("wasm");
  const { wasm } = wasmBackend();
  const { values } = compute();
  // Takes all that is below, in blocks of less and less. They are never touched: the system gives no pages for them.
  const taken: number[] = [];
  for (const size of [2 ** 28, 2 ** 20, 2 ** 14, 2 ** 8, 2 ** 5]) {
    do {
      taken.push(wasm._malloc(size) >>> 0);
      if (taken.at(-1) === 0) throw new Error(`no memory of ${size} bytes`);
    } while (taken.at(-1)! < 2 ** 31);
  }
  const { values: above, at } = compute();
  for (const pointer of taken) wasm._free(pointer);
  expect(at).toBeGreaterThan(2 ** 31);
  expectClose(above, values, {});
});

it("leaves the constants of tfjs-backend-wasm as they were", async () => {
  await startWasmBackend();
  const text = new TextDecoder().decode(wasmBackend().wasm.HEAPU8.slice(1024, 5120));
  expect(text).toContain("ArgMax failed. Unknown dtype %d");
});

it("refuses what does not fit, with the operation and the bytes, and leaves every other tensor as it was", async () => {
  await startWasmBackend();
  registerFusedKernels("wasm");
  const { wasm } = wasmBackend();
  const numbers = tf.range(0, 1000);
  // Never touched: the system gives no pages for them.
  const taken = Array.from({ length: 7 }, () => wasm._malloc(2 ** 29));
  const before = tf.memory();
  const message = (operation: string, bytes: number) =>
    new RegExp(
      `^wasm: out of memory in ${operation}: ${bytes} bytes wanted, \\d+ bytes in use, at most \\d+ available of 4294967296$`,
    );
  // More than 2^32 bytes of scores, whose number would wrap to a few.
  const tokens = tf.ones([1, 32768, 1]) as tf.Tensor3D;
  expect(() => scaledDotProductAttention(tokens, tokens, tokens, { heads: 1 })).toThrow(
    message("ScaledDotProductAttention", 8640331984),
  );
  tokens.dispose();
  expect(() => tf.tile(numbers, [2 ** 18])).toThrow(message("Tile", 1000 * 2 ** 20));
  expect(() => tf.tile(numbers, [2 ** 24])).toThrow(message("Tile", 1000 * 2 ** 26));
  expect(() => tf.zeros([2 ** 28])).toThrow(message("a tensor from the host", 2 ** 30));
  expect(tf.memory().numTensors).toBe(before.numTensors);
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
  expectClose(
    numbers,
    Array.from({ length: 1000 }, (_, i) => i),
  );
  numbers.dispose();
  for (const pointer of taken) wasm._free(pointer);
  const after = tf.ones([2 ** 20]);
  expectClose(tf.sum(after), [2 ** 20]);
  after.dispose();
});

it("names the kernel of tfjs-backend-wasm whose own allocation fails", async () => {
  await startWasmBackend();
  const backend = wasmBackend();
  const failing = () => {
    throw new WebAssembly.RuntimeError("Aborted()");
  };
  const made = () => tf.memory().numDataBuffers;
  const before = made();
  expect(() => runNamed(backend, "Conv2D", () => 12, failing)).toThrow(
    /^wasm: out of memory in Conv2D: memory of its own beside 12 bytes of inputs wanted, /,
  );
  const trap = () => {
    throw new WebAssembly.RuntimeError("remainder by zero");
  };
  expect(() => runNamed(backend, "Mod", () => 12, trap)).toThrow("wasm: Mod failed: remainder by zero");
  const half = () => {
    backend.makeOutput([4], "float32");
    throw new Error("stride must be positive");
  };
  expect(() => runNamed(backend, "Conv2D", () => 12, half)).toThrow("stride must be positive");
  expect(made()).toBe(before);
});
