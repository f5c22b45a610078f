import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../test/test-backends.js";
import type { WebGPUBackend } from "../backend/webgpu/webgpu-backend.js";
import { initialize } from "./initialize.js";

const { device, reason } = await webgpuDevice();
const kind = device?.isSoftware ? "software" : "webgpu";

const current = () => tf.backend() as WebGPUBackend;

/** Results of the device, too many to be kept on the host as well. */
const onDevice = () => tf.neg(tf.fill([8, 1024], 1));

async function computes(): Promise<boolean> {
  const x = tf.tensor([1, 2]);
  const y = tf.neg(x);
  const values = await y.data();
  tf.dispose([x, y]);
  return values[0] === -1 && values[1] === -2;
}

it("refuses a device it does not know, by name", async () => {
  await expect(initialize({ device: "abacus" as "auto" })).rejects.toThrow(
    /device must be one of .*"abacus"/,
  );
});

it("starts one device after the other where calls overlap; the last one stays", async () => {
  const calls = ["cpu", "wasm", "abacus", "cpu", "wasm"].map((name) => initialize({ device: name as "cpu" }));
  const results = await Promise.allSettled(calls);
  expect(results.map(({ status }) => status)).toEqual([
    "fulfilled",
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
  ]);
  expect(tf.getBackend()).toBe("wasm");
});

it("refuses a number of threads that is none, and has one thread in Node", async () => {
  await expect(initialize({ device: "wasm", threads: 0.5 })).rejects.toThrow(/threads must be .* got 0.5/);
  expect((await initialize({ device: "wasm", threads: 4 })).threads).toBe(1);
});

if (!device) {
  it("says what is missing on this machine", async () => {
    await expect(initialize({ device: "software" })).rejects.toThrow(
      /no software WebGPU adapter|does not load/,
    );
    expect(reason).not.toBe("");
  });
} else {
  describe("initialize, called again", () => {
    afterAll(() => tf.removeBackend("dcr-webgpu"));

    it("has one device for calls that overlap", async () => {
      const [first, second] = await Promise.all([initialize({ device: kind }), initialize({ device: kind })]);
      expect(first.adapter).toBe(second.adapter);
      expect(await computes()).toBe(true);
    });

    it("keeps a device that works, and its tensors", async () => {
      expect(await initialize({ device: kind })).toMatchObject({ backend: "dcr-webgpu", kind });
      const before = current();
      const x = onDevice();
      await initialize({ device: "cpu" });
      await initialize({ device: kind });
      expect(current()).toBe(before);
      expect((await x.data())[8191]).toBe(-1);
      x.dispose();
    });

    it("opens a new device after a loss; until then every op and read says what was lost, with shapes and bytes", async () => {
      await initialize({ device: kind });
      const before = current();
      const [x, y, kept] = [onDevice(), onDevice(), tf.tensor([1, 2, 3])];
      before.device.destroy();
      await expect(x.data()).rejects.toThrow(
        /reading a float32 tensor \[8,1024\] of 32768 bytes cannot go on: the device was lost \(destroyed\).*initialize/s,
      );
      expect(() => tf.add(x, y)).toThrow(
        /Add of a \[8,1024\], b \[8,1024\] cannot go on: the device was lost/,
      );

      await initialize({ device: kind });
      expect(current()).not.toBe(before);
      expect(await computes()).toBe(true);
      // Tensors that the host still has are moved over.
      const negated = tf.neg(kept);
      expect(await negated.data()).toEqual(Float32Array.of(-1, -2, -3));
      const lost = /the values of a float32 tensor \[8,1024\] are lost: the device was lost \(destroyed\)/;
      expect(() => tf.matMul(x, y, false, true)).toThrow(/^dcr-webgpu: \S+ of a \[\S+\], b \[\S+\]:/);
      expect(() => tf.matMul(x, y, false, true)).toThrow(lost);
      expect(() => x.dataSync()).toThrow(lost);
      await expect(x.data()).rejects.toThrow("the device was lost");
      const { numTensors, numBytes } = tf.memory();
      tf.dispose([x, y]);
      expect(tf.memory()).toMatchObject({ numTensors: numTensors - 2, numBytes: numBytes - 2 * 32768 });
      tf.dispose([kept, negated]);
    });

    it("finds a loss that nothing has met yet", async () => {
      await initialize({ device: kind });
      current().device.destroy();
      await initialize({ device: kind });
      expect(await computes()).toBe(true);
    });

    it("opens a new device after a shader that does not compile", async () => {
      await initialize({ device: kind });
      const backend = current();
      const x = onDevice();
      backend.within("Broken", { x }, () =>
        backend.launch({
          name: "Broken",
          key: "",
          inputs: [{ name: "x", info: x }],
          outputs: [],
          count: 1,
          body: () => "store_x(index, nothing);",
        }),
      );
      await expect(x.data()).rejects.toThrow(/the shader of Broken of x \[8,1024\] failed: .*nothing/s);
      await initialize({ device: kind });
      expect(await computes()).toBe(true);
      expect(() => tf.neg(x)).toThrow(/Neg of x \[8,1024\]: the values .* are lost: the shader of Broken/);
      x.dispose();
    });

    it("goes on with the same device after a tensor above its limits", async () => {
      await initialize({ device: kind });
      const before = current();
      const elements = Math.ceil(before.device.limits.maxBufferSize / 4) + 4;
      expect(() => tf.fill([elements], 2)).toThrow(
        `Fill needs a tensor [${elements}] of ${elements * 4} bytes`,
      );
      expect(await computes()).toBe(true);
      await initialize({ device: kind });
      expect(current()).toBe(before);
    });
  });
}
