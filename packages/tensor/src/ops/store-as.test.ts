import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../test/test-backends.js";
import { backendName } from "../backend/webgpu/backend-name.js";
import { profile } from "../backend/webgpu/profile.js";
import { registerWebGPUBackend } from "../backend/webgpu/register-backend.js";
import { warm } from "../backend/webgpu/warm.js";
import type { WebGPUBackend, WebGPUBackendOptions } from "../backend/webgpu/webgpu-backend.js";
import { webgpuStatistics } from "../backend/webgpu/webgpu-statistics.js";
import "../shared/register-gradients.js";
import { float16ToNumber, numberToFloat16 } from "../shared/half-floats.js";
import { gelu, silu } from "./activation.js";
import { scaledDotProductAttention } from "./attention.js";
import { conv2d } from "./conv2d.js";
import { registerFusedKernels } from "./fused-kernel.js";
import { geglu } from "./geglu.js";
import { groupNorm } from "./group-norm.js";
import { layerNorm } from "./layer-norm.js";
import { linear } from "./linear.js";
import { float16Activations, hasFloat16Storage, storageOf, storeAs } from "./store-as.js";
import { upsampleNearest2d } from "./upsample.js";

const { device } = await webgpuDevice();
const hasHalves = device?.device.features.has("shader-f16");

async function start(options: WebGPUBackendOptions = {}): Promise<WebGPUBackend> {
  const { isSoftware = device!.isSoftware, ...others } = options;
  registerWebGPUBackend({ device: device!.device, isSoftware }, { checkKeys: true, ...others });
  registerFusedKernels(backendName);
  tf.env().set("IS_TEST", true);
  await tf.setBackend(backendName);
  return tf.backend() as WebGPUBackend;
}

const rounded = (value: number) => float16ToNumber(numberToFloat16(value));
let seed = 0;
const normal = (...shape: number[]) => tf.tensor(normalArray(++seed, tf.util.sizeFromShape(shape)), shape);

it("says where float16 cannot be stored", async () => {
  await tf.setBackend("cpu");
  const x = tf.tensor([1, 2]);
  expect(hasFloat16Storage()).toBe(false);
  expect(storageOf(x)).toBe("float32");
  expectClose(storeAs(x, "float32"), [1, 2]);
  expect(() => storeAs(x, "float16")).toThrow(/storeAs: float16 storage needs WebGPU, and "cpu" runs/);
  expect(() => float16Activations(() => x)).toThrow(/float16Activations: float16 storage needs WebGPU/);
});

/** Must outlive its devices. */
let dawn: GPU | undefined;

if (device && !("navigator" in globalThis && (globalThis.navigator as { gpu?: GPU }).gpu))
  it("says when the adapter lacks shader-f16", async () => {
    dawn = (await import("webgpu")).create([]);
    const plain = await (await dawn.requestAdapter())!.requestDevice();
    registerWebGPUBackend({ device: plain, isSoftware: true });
    await tf.setBackend(backendName);
    expect(hasFloat16Storage()).toBe(false);
    const x = tf.tensor([1, 2]);
    const lacks = /float16 storage needs an adapter with shader-f16; see hasFloat16Storage, and use float32/;
    expect(() => storeAs(x, "float16")).toThrow(lacks);
    expect(() => float16Activations(() => x)).toThrow(lacks);
    tf.removeBackend(backendName);
    plain.destroy();
  });

/** Steps of a computation, run once on tensors stored as float16 and once on the same values stored as float32. */
const computations: Record<string, (a: tf.Tensor, b: tf.Tensor, images: tf.Tensor) => tf.Tensor[]> = {
  "matrix products": (a, b) => [
    tf.matMul(a, b, false, true),
    tf.matMul(b, a, false, true),
    tf.matMul(a, a, true, false),
    tf.matMul(tf.slice(a, [0, 0], [13, 7]), tf.slice(b, [0, 0], [7, 11])),
    linear(a, b as tf.Tensor2D, tf.reshape(tf.slice(a, [0, 3], [23, 1]), [23]) as tf.Tensor1D),
  ],
  convolutions: (a, _b, images) => {
    const filter = (h: number, out: number) =>
      tf.reshape(tf.slice(tf.reshape(a, [-1]), 0, h * h * 4 * out), [h, h, 4, out]) as tf.Tensor4D;
    const x = images as tf.Tensor4D;
    const { grad, value } = tf.valueAndGrad((y) =>
      tf.add(
        tf.sum(tf.square(conv2d(y as tf.Tensor4D, filter(3, 8), null, { padding: 1 }))),
        tf.sum(conv2d(y as tf.Tensor4D, filter(1, 3))),
      ),
    )(x);
    const depthwise = tf.depthwiseConv2d(x, tf.reshape(filter(3, 1), [3, 3, 4, 1]), 1, "same");
    const residual = tf.slice(x, 0, [x.shape[0], 1, 1, 3]) as tf.Tensor4D;
    return [
      conv2d(x, filter(3, 3), null, { residual }),
      conv2d(x, filter(3, 8), null, { stride: 2 }),
      conv2d(x, filter(2, 5)),
      grad,
      value,
      depthwise,
    ];
  },
  norms: (a, b, images) => {
    const [weight, bias] = tf.unstack(tf.slice(b, [0, 0], [2, 20])) as tf.Tensor1D[];
    const [scale, shift] = [tf.slice(weight, 0, 4), tf.slice(bias, 0, 4)];
    const normalise = (x: tf.Tensor) =>
      groupNorm(x as tf.Tensor4D, scale, shift, { groups: 2, epsilon: 1e-5, activation: "silu" });
    return [
      layerNorm(a, weight, bias),
      tf.grad((x) => tf.sum(tf.square(layerNorm(x, weight, bias))))(a),
      normalise(images),
      tf.grad((x) => tf.sum(tf.square(normalise(x))))(images),
      tf.softmax(a),
    ];
  },
  attention: (a, b) => {
    const [query, key] = [a, b].map((x) => tf.reshape(x, [1, -1, 20]) as tf.Tensor3D);
    const attend = (q: tf.Tensor, k: tf.Tensor) =>
      scaledDotProductAttention(q as tf.Tensor3D, k as tf.Tensor3D, key, { heads: 5 });
    return [attend(query, key), ...tf.grads((q, k) => tf.sum(tf.square(attend(q, k))))([query, key])];
  },
  "elements and sums": (a, b, images) => [
    gelu(a),
    silu(a),
    geglu(b),
    tf.grad((x) => tf.sum(tf.square(geglu(x))))(b),
    tf.relu(tf.mul(a, tf.slice(a, [3, 0], [1, 20]))),
    tf.add(tf.slice(a, [0, 0], [23, 20]), b),
    tf.sum(a, 0),
    tf.mean(images, [1, 2]),
    tf.max(b, 1),
    tf.logSumExp(a),
    tf.argMax(a, 1),
    tf.where(tf.greater(a, 0), a, tf.zerosLike(a)),
  ],
  moves: (a, b, images) => [
    tf.transpose(a),
    tf.transpose(images, [0, 3, 1, 2]),
    tf.reverse(b, 1),
    tf.tile(a, [2, 1]),
    tf.pad(
      b,
      [
        [1, 2],
        [0, 3],
      ],
      0.3,
    ),
    tf.concat([a, b]),
    tf.stack([a, a], 1),
    tf.gather(a, [3, 0, 3], 0),
    tf.gatherND(b, [
      [1, 2],
      [22, 19],
    ]),
    tf.mirrorPad(
      b,
      [
        [1, 2],
        [3, 0],
      ],
      "reflect",
    ),
    tf.cumsum(a, 1),
    tf.topk(a, 3).values,
    upsampleNearest2d(images as tf.Tensor4D),
    tf.image.resizeBilinear(images as tf.Tensor4D, [5, 3]),
    tf.avgPool(images as tf.Tensor4D, 3, 2, "same"),
    tf.maxPool(images as tf.Tensor4D, 2, 2, "valid"),
    tf.unsortedSegmentSum(
      b,
      tf.tensor1d(
        Array.from({ length: 23 }, (_, i) => i % 3),
        "int32",
      ),
      3,
    ),
  ],
  "complex numbers": (a, b) => {
    const z = tf.complex(tf.slice(a, [0, 0], [23, 20]), b);
    return [tf.real(tf.spectral.fft(z)), tf.abs(z), tf.imag(tf.mul(z, z))];
  },
};

if (hasHalves)
  describe.each([
    { schedule: "subgroups", isSoftware: true, subgroups: true },
    { schedule: "registers", isSoftware: true, subgroups: false },
    { schedule: "workgroups", isSoftware: false, subgroups: false },
  ])("on tensors stored as float16 ($schedule schedule)", ({ isSoftware, subgroups }) => {
    let backend: WebGPUBackend;
    beforeAll(async () => {
      backend = await start({ isSoftware, subgroups });
    });
    afterAll(() => tf.removeBackend(backendName));

    // The other kernels have one schedule for all.
    const own = ["matrix products", "convolutions", "norms"];
    const entries = Object.entries(computations).filter(
      ([name]) => (isSoftware && subgroups) || own.includes(name),
    );
    it.each(entries)("%s are those of the rounded values in float32", async (_name, run) => {
      const values = [normalArray(1, 640), normalArray(2, 460), normalArray(3, 2 * 7 * 6 * 4)].map((v) =>
        v.map(rounded),
      );
      const shapes = [
        [32, 20],
        [23, 20],
        [2, 7, 6, 4],
      ];
      const results: tf.Tensor[][] = [];
      const { numBytesInGPU } = backend.memory();
      const { numTensors } = tf.memory();
      for (const storage of ["float32", "float16"] as const) {
        results.push(
          tf.tidy(() => {
            const [a, b, images] = values.map((v, i) => storeAs(tf.tensor(v, shapes[i]), storage));
            expect(storageOf(a)).toBe(storage);
            return run(a, b, images);
          }),
        );
      }
      const [expected, actual] = results;
      for (const [i, y] of actual.entries()) {
        expectClose(await y.data(), await expected[i].data(), { relative: 1e-6, absolute: 1e-6 });
      }
      tf.dispose(results);
      expect(tf.memory().numTensors).toBe(numTensors);
      expect(backend.memory().numBytesInGPU).toBe(numBytesInGPU);
    });

    it("products accumulate in float32", async () => {
      // In float16, 2048 + 1 is 2048.
      const y = tf.tidy(() => {
        const [x, w] = [tf.ones([17, 4096]), tf.ones([4096, 12])].map((ones) => storeAs(ones, "float16"));
        return tf.matMul(x, w);
      });
      expect(new Set(await y.data())).toEqual(new Set([4096]));
      y.dispose();
    });

    it("results stored as float16 are those in float32, rounded", async () => {
      const [a, b] = [normal(19, 24), normal(24, 14)];
      const run = () =>
        tf.tidy(() => {
          const x = tf.reshape(tf.slice(a, 0, 18), [2, 6, 6, 6]) as tf.Tensor4D;
          const filter = tf.reshape(tf.slice(b, 0, 18), [3, 2, 6, 7]) as tf.Tensor4D;
          return [tf.matMul(a, b), conv2d(x, filter), conv2d(x, tf.slice(filter, 0, 1), null, { stride: 2 })];
        });
      const [expected, actual] = [run(), float16Activations(run)];
      expect(actual.map(storageOf)).toEqual(["float16", "float16", "float16"]);
      for (const [i, y] of actual.entries()) {
        expect(await y.data()).toEqual((await expected[i].data()).map(rounded));
      }
      tf.dispose([a, b, expected, actual]);
    });
  });

if (hasHalves)
  describe("storeAs", () => {
    let backend: WebGPUBackend;
    beforeAll(async () => {
      backend = await start();
    });
    afterAll(() => tf.removeBackend(backendName));

    // Every magnitude that float16 has, ties among them, and what it has not.
    const values = Float32Array.from({ length: 5003 }, (_, i) => {
      if (i < 8) return [0, -0, 65504, 65519.99, 65520, -1e9, Number.NaN, Number.NEGATIVE_INFINITY][i];
      return (i % 2 ? -1 : 1) * (1 + (i % 129) / 128 + (i % 5) * 2 ** -11) * 2 ** ((i % 41) - 25);
    });

    it.each(["host", "device"])("rounds to the nearest, from the %s", async (place) => {
      await expectNoLeaks(async () => {
        const x = tf.tidy(() => {
          const own = tf.tensor(values);
          return place === "host" ? own : tf.neg(tf.neg(own));
        });
        const y = storeAs(x, "float16");
        const back = tf.tidy(() => storeAs(tf.neg(tf.neg(y)), "float32"));
        expect([y, back].map(storageOf)).toEqual(["float16", "float32"]);
        expect(await y.data()).toEqual(values.map(rounded));
        expect(await back.data()).toEqual(values.map(rounded));
        tf.dispose([x, y, back]);
      });
    });

    it("halves the bytes on the device, exactly", () => {
      const before = backend.memory().numBytesInGPU;
      const { uploadedBytes } = webgpuStatistics();
      const x = storeAs(normal(1000, 80), "float16");
      const y = tf.neg(x);
      expect(webgpuStatistics().uploadedBytes - uploadedBytes).toBe(2 * 80_000);
      // A stored tensor has a buffer of its own size; a kernel's result may have a larger one.
      expect(backend.memory().numBytesInGPU - before).toBeGreaterThanOrEqual(2 * 80_000 + 4 * 80_000);
      const z = storeAs(y, "float16");
      y.dispose();
      expect(backend.memory().numBytesInGPU - before).toBe(4 * 80_000);
      tf.dispose([x, z]);
      expect(backend.memory().numBytesInGPU).toBe(before);
    });

    it("moves keep the storage, and arithmetic gives float32", () => {
      tf.tidy(() => {
        const x = storeAs(normal(6, 8), "float16");
        const kept = [
          tf.transpose(x),
          tf.reshape(x, [48]),
          tf.slice(x, [1, 0], [2, 8]),
          tf.gather(x, [1, 1]),
          tf.clone(x),
        ];
        expect(kept.map(storageOf)).toEqual(kept.map(() => "float16"));
        expect(storageOf(tf.concat([x, x]))).toBe("float16");
        const computed = [
          tf.neg(x),
          tf.concat([x, normal(1, 8)]),
          tf.sum(x, 0),
          tf.matMul(x, x, true),
          tf.pad(x, [
            [1, 0],
            [0, 0],
          ]),
        ];
        expect(computed.map(storageOf)).toEqual(computed.map(() => "float32"));
      });
    });

    it("takes float32 only, passes gradients on, and gives the same again", async () => {
      expect(() => storeAs(tf.scalar(1, "int32"), "float16")).toThrow(
        "storeAs: x must be float32, got int32 []",
      );
      await expectNoLeaks(async () => {
        const x = tf.tensor([1.0001, 2, 3]);
        const dx = tf.tidy(() => tf.grad((y) => tf.sum(tf.square(storeAs(y, "float16"))))(x));
        expectClose(await dx.data(), [2, 4, 6]);
        expect(storageOf(dx)).toBe("float32");
        tf.dispose([x, dx]);
      });
      const y = storeAs(tf.tensor([1, 2, 3]), "float16");
      const same = storeAs(y, "float16");
      expect(same.dataId).toBe(y.dataId);
      expect(y.dataSync()).toEqual(Float32Array.of(1, 2, 3));
      tf.dispose([y, same]);
    });

    it("is compiled by warm, timed by profile, and goes in pieces", async () => {
      await start({ maxBindingBytes: 1024 });
      const x = tf.tensor(normalArray(5, 1001));
      const run = () => tf.tidy(() => tf.add(storeAs(tf.neg(storeAs(x, "float16")), "float16"), x));
      expect(await warm(run)).toBe(3);
      const { pipelinesCreated } = webgpuStatistics();
      const y = run();
      expect(webgpuStatistics().pipelinesCreated).toBe(pipelinesCreated);
      expectClose(
        await y.data(),
        (await x.data()).map((v) => v - rounded(v)),
        { absolute: 1e-7 },
      );
      if (device!.device.features.has("timestamp-query")) {
        expect(await profile(() => run().dispose())).toHaveProperty("StoreAs");
      }
      tf.dispose([x, y]);
    });
  });
