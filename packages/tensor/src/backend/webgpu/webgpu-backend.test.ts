import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import { requestWebGPUDevice, type WebGPUDevice } from "../../device/request-device.js";
import { backendName } from "./backend-name.js";
import { u32 } from "./launch.js";
import { registerWebGPUBackend } from "./register-backend.js";
import type { WebGPUBackend } from "./webgpu-backend.js";

const { device, reason } = await webgpuDevice();

async function start(
  source: Pick<WebGPUDevice, "device" | "isSoftware">,
  options = {},
): Promise<WebGPUBackend> {
  registerWebGPUBackend(source, options);
  await tf.setBackend(backendName);
  return tf.backend() as WebGPUBackend;
}

const whenAdapter = device ? describe : () => {};
const whenNone = device ? () => {} : describe;

whenAdapter("WebGPUBackend", () => {
  let backend: WebGPUBackend;
  beforeEach(async () => {
    backend = await start(device!);
  });
  afterEach(() => tf.removeBackend(backendName));

  it("runs under its own name", () => {
    expect(tf.getBackend()).toBe("dcr-webgpu");
    expect(tf.memory().unreliable).toBeFalsy();
  });

  it("keeps what was written on the host until a kernel needs it", async () => {
    const x = tf.tensor([1, 2, 3]);
    expect(x.dataSync()).toEqual(Float32Array.of(1, 2, 3));
    expect(backend.memory().numBytesInGPU).toBe(0);
    const y = tf.neg(x);
    // 3 elements of 4 bytes, padded to 16, for each of the two.
    expect(backend.memory().numBytesInGPU).toBe(32);
    expect(await y.data()).toEqual(Float32Array.of(-1, -2, -3));
    tf.dispose([x, y]);
    expect(backend.memory()).toMatchObject({ numBytesInGPU: 0, numBytesInPool: 32 });
  });

  it("says that it cannot read what lies on the device synchronously", () => {
    const y = tf.neg(tf.tensor([1, 2, 3]));
    expect(() => y.dataSync()).toThrow(/cannot read a tensor synchronously; use `await tensor.data\(\)`/);
    y.dispose();
  });

  it("frees a buffer with its last reference", () => {
    const x = tf.neg(tf.tensor([1, 2, 3, 4]));
    const alias = tf.reshape(x, [2, 2]);
    const { numBytesInGPU } = backend.memory();
    x.dispose();
    expect(backend.memory().numBytesInGPU).toBe(numBytesInGPU);
    alias.dispose();
    expect(backend.memory().numBytesInGPU).toBe(numBytesInGPU - 16);
  });

  it("keeps free buffers beyond its bound only within 1.2 times the most bytes in use", async () => {
    tf.removeBackend(backendName);
    backend = await start(device!, { maxFreeBytes: 4096 });
    const tensors = Array.from({ length: 8 }, (_, i) => tf.fill([512 + 4 * i], i));
    const most = backend.memory().numBytesInGPU;
    tf.dispose(tensors);
    expect(backend.memory().numBytesInPool).toBe(most);
    // No free buffer is that large, so others make room for it.
    const y = tf.fill([2048], 3);
    const { numBytesInGPU, numBytesInPool } = backend.memory();
    expect(numBytesInPool).toBeGreaterThan(4096);
    expect(numBytesInGPU + numBytesInPool).toBeLessThanOrEqual(1.2 * most);
    expect((await y.data())[2047]).toBe(3);
    y.dispose();
  });

  it("makes no buffer from the second step on where a step's phases use tensors of different sizes", async () => {
    tf.removeBackend(backendName);
    backend = await start(device!, { maxFreeBytes: 0 });
    // The hidden tensors of a backward pass stay until its end: tokens of an encoder, then pixels of a denoiser at two levels.
    const phases = [
      [257, 512],
      [784, 160],
      [196, 320],
    ];
    const losses = phases.map(([rows, width]) => {
      const weights = Array.from({ length: 4 }, (_, i) => tf.fill([width, width], 0.01 * (i + 1)));
      const loss = (x: tf.Tensor) => tf.sum(weights.reduce((y, w) => tf.sigmoid(tf.matMul(y, w)), x));
      return () => tf.tidy(() => tf.sum(tf.grad(loss)(tf.fill([rows, width], 0.1))));
    });
    const held: number[] = [];
    const made: number[] = [];
    for (let step = 0; step < 4; step++) {
      const before = backend.statistics.buffersCreated;
      for (const loss of losses) {
        const gradient = loss();
        await gradient.data();
        gradient.dispose();
      }
      made.push(backend.statistics.buffersCreated - before);
      const { numBytesInGPU, numBytesInPool } = backend.memory();
      held.push(numBytesInGPU + numBytesInPool);
    }
    expect(made.slice(1)).toEqual([0, 0, 0]);
    expect(new Set(held).size).toBe(1);
  });

  it("does not let an upload overtake commands that read the buffer's former tensor", async () => {
    const large = 100;
    const results: tf.Tensor[] = [];
    for (let i = 0; i < 20; i++) {
      const x = tf.tensor(new Float32Array(large).fill(i));
      results.push(tf.add(x, 0.5));
      x.dispose();
    }
    for (const [i, y] of results.entries()) expect((await y.data())[large - 1]).toBe(i + 0.5);
    tf.dispose(results);
  });

  it("reads strings, int32 and bool as tfjs gives them", async () => {
    expect(await tf.tensor(["a", "bc"]).data()).toEqual(["a", "bc"]);
    expect(await tf.neg(tf.tensor([1, -2], [2], "int32")).data()).toEqual(Int32Array.of(-1, 2));
    expect(await tf.logicalNot(tf.tensor([1, 0], [2], "bool")).data()).toEqual(Uint8Array.of(0, 1));
  });

  it("answers several reads at once", async () => {
    const tensors = Array.from({ length: 12 }, (_, i) => tf.fill([10 + i], i));
    const values = await Promise.all(tensors.map((x) => x.data()));
    for (const [i, data] of values.entries()) {
      expect(data.length).toBe(10 + i);
      expect(data[9]).toBe(i);
    }
    tf.dispose(tensors);
  });

  it("measures time", async () => {
    const { kernelMs } = (await tf.time(() =>
      tf.tidy(() => void tf.matMul(tf.ones([64, 64]), tf.ones([64, 64]))),
    )) as {
      kernelMs: number;
    };
    expect(kernelMs).toBeGreaterThan(0);
  });

  it("names the kernel and shapes when a tensor is larger than the device binds", () => {
    const elements = device!.device.limits.maxStorageBufferBindingSize / 4 + 4;
    const x = tf.fill([1, 1], 2);
    expect(() => tf.tile(x, [1, elements])).toThrow(
      /Tile of x \[1,1\] needs a tensor \[[\d,]+\] of \d+ bytes; .* at most \d+/,
    );
    x.dispose();
  });

  it("names the kernel and shapes of a shader that does not compile, and goes on saying so", async () => {
    const x = tf.neg(tf.tensor([1, 2, 3]));
    backend.within("Broken", { x }, () =>
      backend.launch({
        name: "Broken",
        key: "",
        inputs: [{ name: "x", info: x }],
        outputs: [{ name: "y", info: backend.output([3], "float32") }],
        count: 3,
        uniforms: [u32("n", 3)],
        body: () => "store_y(index, nothing);",
      }),
    );
    await expect(x.data()).rejects.toThrow(/the shader of Broken of x \[3\] failed: .*nothing/s);
    expect(() => tf.neg(x)).toThrow(/the shader of Broken/);
    x.dispose();
  });

  it("names the op, the bytes wanted and those in use where memory runs out", async () => {
    tf.removeBackend(backendName);
    backend = await start(device!);
    const held = tf.neg(tf.ones([64]));
    const failure = vi
      .spyOn(device!.device, "popErrorScope")
      .mockResolvedValueOnce(
        new GPUOutOfMemoryError("vkAllocateMemory failed with VK_ERROR_OUT_OF_DEVICE_MEMORY"),
      );
    const x = tf.neg(held);
    failure.mockRestore();
    await expect(x.data()).rejects.toThrow(
      /allocating 256 bytes for Neg of x \[64\] failed: the device is out of memory; tensors take 768 bytes, 0 are free for reuse, and a buffer holds at most \d+;/,
    );
    await expect(held.data()).rejects.not.toThrow(/vkAllocate/);
    tf.dispose([held, x]);
  });

  it("finds two shaders under one key, where keys are checked", async () => {
    tf.removeBackend(backendName);
    backend = await start(device!, { checkKeys: true });
    const info = backend.output([4], "float32");
    const launch = (value: number) =>
      backend.launch({
        name: "Constant",
        key: "",
        inputs: [],
        outputs: [{ name: "y", info }],
        count: 4,
        body: () => `store_y(index, ${value}.0);`,
      });
    launch(1);
    expect(() => launch(2)).toThrow('two different shaders under the key "Constant|');
    backend.disposeAll(info);
  });

  it("counts complex tensors, their parts and their bytes exactly, in whatever order they go", async () => {
    const before = { ...tf.memory() };
    const [real, imag] = tf.tidy(() => [tf.neg(tf.tensor([1, 2, 3, 4])), tf.neg(tf.tensor([5, 6, 7, 8]))]);
    const { numBytesInGPU } = backend.memory();
    const x = tf.complex(real, imag);
    const part = tf.real(x);
    const alias = tf.reshape(x, [2, 2]);
    expect(backend.memory().numBytesInGPU).toBe(numBytesInGPU);
    tf.dispose([real, x, part]);
    expect(backend.memory().numBytesInGPU).toBe(numBytesInGPU);
    expect(await alias.data()).toEqual(Float32Array.of(-1, -5, -2, -6, -3, -7, -4, -8));
    const last = tf.imag(alias);
    tf.dispose([imag, alias]);
    expect(backend.memory().numBytesInGPU).toBe(numBytesInGPU / 2);
    expect(await last.data()).toEqual(Float32Array.of(-5, -6, -7, -8));
    last.dispose();
    const { numTensors, numDataBuffers, numBytes } = tf.memory();
    expect({ numTensors, numDataBuffers, numBytes }).toEqual({
      numTensors: before.numTensors,
      numDataBuffers: before.numDataBuffers,
      numBytes: before.numBytes,
    });
    expect(backend.numDataIds()).toBe(0);
    expect(backend.memory().numBytesInGPU).toBe(0);
  });

  it("takes over a complex tensor of another backend", async () => {
    await import("@tensorflow/tfjs-backend-cpu");
    await tf.setBackend("cpu");
    const x = tf.complex([1, 2], [3, 4]);
    await tf.setBackend(backendName);
    const y = tf.mul(x, x);
    expect(await y.data()).toEqual(Float32Array.of(-8, 6, -12, 16));
    tf.dispose([x, y]);
    expect(backend.numDataIds()).toBe(0);
  });

  it("refuses options of its registration that it does not know, and numbers out of range", () => {
    const register = (options: object) => () => registerWebGPUBackend(device!, options);
    expect(register({ maxDispatch: 3 })).toThrow(/registerWebGPUBackend.*maxDispatch/);
    expect(register({ maxDispatches: 0 })).toThrow("registerWebGPUBackend: maxDispatches must be");
    expect(register({ maxFreeBytes: Number.NaN })).toThrow("registerWebGPUBackend: maxFreeBytes must be");
    expect(register({ maxBindingBytes: 100 })).toThrow("registerWebGPUBackend: maxBindingBytes must be");
    expect(() => registerWebGPUBackend(undefined as never)).toThrow(
      "registerWebGPUBackend: source must be the result of requestWebGPUDevice, got undefined",
    );
    expect(tf.getBackend()).toBe(backendName);
  });

  it("gives tfjs's own error for a kernel it lacks", () => {
    expect(() => tf.engine().runKernel("NoSuchKernel", {})).toThrow(
      /not registered for backend 'dcr-webgpu'/,
    );
  });
});

whenAdapter("a lost device", () => {
  it("is reported by every later call", async () => {
    const own = await requestWebGPUDevice();
    await start(own);
    const x = tf.neg(tf.tensor([1, 2, 3]));
    own.device.destroy();
    await own.device.lost;
    await expect(x.data()).rejects.toThrow(/the device was lost \(destroyed\)/);
    expect(() => tf.neg(x)).toThrow(/the device was lost/);
    x.dispose();
    tf.removeBackend(backendName);
  });
});

whenNone("without an adapter", () => {
  it("rejects with what was tried", async () => {
    expect(reason).toMatch(/no WebGPU adapter|does not load/);
    await expect(requestWebGPUDevice()).rejects.toThrow(reason);
  });
});
