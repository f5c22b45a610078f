import { expectClose, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import { adamWStep } from "../../ops/adamw-step.js";
import { storeAs } from "../../ops/store-as.js";
import "../../shared/register-gradients.js";
import { backendName } from "./backend-name.js";
import { piecesOf } from "./pieces.js";
import { registerWebGPUBackend } from "./register-backend.js";
import type { WebGPUBackend } from "./webgpu-backend.js";
import { webgpuStatistics } from "./webgpu-statistics.js";

const { device } = await webgpuDevice();

/** Neither a multiple of the piece nor of a vec4: four pieces of at most 1024 bytes. */
const size = 1001;
const [a, b] = [normalArray(1, size), normalArray(2, size)];

it("cuts a launch at offsets that bindings may have", () => {
  const info = { dataId: {}, shape: [size], dtype: "float32" as const };
  const pieces = piecesOf(
    {
      name: "Any",
      key: "",
      inputs: [{ name: "scalar", info }],
      outputs: [{ name: "y", info, type: "vec4<f32>" }],
      count: 251,
      body: () => "",
    },
    1100,
  );
  expect(pieces.map(({ launch, ranges }) => [launch.count, ...ranges])).toEqual([
    [64, { offset: 0 }, { offset: 0, size: 1024 }],
    [64, { offset: 0 }, { offset: 1024, size: 1024 }],
    [64, { offset: 0 }, { offset: 2048, size: 1024 }],
    [59, { offset: 0 }, { offset: 3072, size: 944 }],
  ]);
});

if (device)
  describe("tensors larger than a binding", () => {
    beforeAll(async () => {
      registerWebGPUBackend(device, { maxBindingBytes: 1024, checkKeys: true });
      await tf.setBackend(backendName);
    });
    afterAll(() => tf.removeBackend(backendName));

    describe("gathers rows of a table", () => {
      // 13 tokens of 100 numbers, 5,200 bytes: in parts that end inside rows.
      const table = Float32Array.from(normalArray(3, 1300), (x) => Math.round(x * 64) / 64);
      const weights = () => tf.tensor2d(table, [13, 100]);
      const row = (id: number) => table.subarray(id * 100, id * 100 + 100);
      const gathered = async (x: tf.Tensor, ids: number[], axis = 0) => {
        const y = tf.gather(x, tf.tensor1d(ids, "int32"), axis);
        const values = await y.data();
        tf.dispose([x, y]);
        return values;
      };

      it.each([
        [0, 12],
        [2, 3],
        [5, 5],
      ])("%s and %s", async (...ids) => {
        expect(await gathered(weights(), ids)).toEqual(Float32Array.of(...row(ids[0]), ...row(ids[1])));
      });

      it("along another axis", async () => {
        const expected = Float32Array.from({ length: 26 }, (_, i) => row(Math.floor(i / 2))[i % 2 ? 99 : 3]);
        expect(await gathered(weights(), [3, 99], 1)).toEqual(expected);
      });

      it("zeros where an index on the device is out of range", async () => {
        const ids = tf.add(tf.tensor1d([4, 1], "int32"), tf.tensor1d([9, 2], "int32"));
        const x = weights();
        const y = tf.gather(x, ids);
        expect(await y.data()).toEqual(Float32Array.of(...new Float32Array(100), ...row(3)));
        tf.dispose([x, y, ids]);
      });

      it.runIf(device.features.has("shader-f16"))("of float16", async () => {
        const x = storeAs(weights(), "float16");
        expect(await gathered(x, [1, 11])).toEqual(Float32Array.of(...row(1), ...row(11)));
      });

      it("with the table's gradient", async () => {
        const ids = tf.tensor1d([12, 3], "int32");
        const scale = tf.tensor2d([2, 3], [2, 1]);
        const x = weights();
        const gradient = tf.grad((x) => tf.sum(tf.mul(tf.gather(x, ids), scale)))(x);
        const expected = new Float32Array(1300).fill(2, 1200).fill(3, 300, 400);
        expect(await gradient.data()).toEqual(expected);
        tf.dispose([x, ids, scale, gradient]);
      });

      it("as sums by segment", async () => {
        const x = tf.ones([2, 100]);
        const y = tf.unsortedSegmentSum(x, tf.tensor1d([4, 4], "int32"), 6);
        expect(await y.data()).toEqual(new Float32Array(600).fill(2, 400, 500));
        const few = tf.unsortedSegmentSum(
          tf.ones([9, 20]),
          tf.tensor1d([0, 1, 2, 0, 1, 2, 0, 1, 0], "int32"),
          3,
        );
        expect(await few.data()).toEqual(new Float32Array(60).fill(4, 0, 20).fill(3, 20, 40).fill(2, 40));
        tf.dispose([x, y, few]);
      });
    });

    const computations: Record<string, [dispatches: number, () => tf.Tensor, (i: number) => number]> = {
      fill: [4, () => tf.fill([size], 2.5), () => 2.5],
      unary: [4, () => tf.neg(tf.tensor1d(a)), (i) => -a[i]],
      binary: [4, () => tf.sub(tf.tensor2d(a, [7, 143]), tf.tensor2d(b, [7, 143])), (i) => a[i] - b[i]],
      "by a scalar of the host": [4, () => tf.mul(tf.tensor1d(a), 3), (i) => a[i] * 3],
      "by a scalar of the device": [
        5,
        () => tf.mul(tf.tensor1d(a), tf.sum(tf.tensor1d([1, 2, 3]))),
        (i) => a[i] * 6,
      ],
      "to another dtype": [4, () => tf.greater(tf.tensor1d(a), 0), (i) => Number(a[i] > 0)],
    };
    it.each(Object.entries(computations))("%s", async (_name, [dispatches, run, expected]) => {
      const before = webgpuStatistics().dispatches;
      const y = tf.tidy(run);
      expect(webgpuStatistics().dispatches - before).toBe(dispatches);
      const values = await y.data();
      expectClose(
        values,
        Array.from({ length: size }, (_, i) => expected(i)),
        { relative: 1e-6 },
      );
      y.dispose();
    });

    it("AdamW's step", async () => {
      const outputs = tf.tidy(() => {
        const [parameter, gradient] = [tf.tensor1d(a), tf.tensor1d(b)];
        return adamWStep(
          { parameter, gradient, first: tf.zeros([size]), second: tf.zeros([size]) },
          { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, stepSize: 0.01, correction: 0.1, kept: 0.5 },
        );
      });
      const expected: ((g: number, i: number) => number)[] = [
        (g, i) => 0.5 * a[i] - (0.01 * 0.1 * Math.sign(g)) / (10 * Math.sqrt(0.001)),
        (g) => 0.1 * g,
        (g) => 0.001 * g * g,
      ];
      for (const [i, y] of outputs.entries()) {
        expectClose(await y.data(), Array.from(b, expected[i]), { relative: 1e-5, absolute: 1e-6 });
      }
      tf.dispose(outputs);
    });

    it("says which kernels do not split, and the bytes", () => {
      const x = tf.tensor1d(a);
      const most =
        /needs a tensor \[1001\] of 4004 bytes; a kernel that is not elementwise reaches at most 1024/;
      expect(() => tf.sum(x)).toThrow(/Sum of x \[1001\] needs/);
      expect(() => tf.sum(x)).toThrow(most);
      expect(() => tf.reverse(x)).toThrow(most);
      x.dispose();
    });

    it("leaves nothing of a kernel that throws half way", () => {
      const backend = tf.backend() as WebGPUBackend;
      const x = tf.cast(tf.tensor1d(a), "int32");
      const [{ numBytesInGPU }, count] = [backend.memory(), backend.numDataIds()];
      // It converts x, in pieces, and then cannot sum.
      expect(() => tf.mean(x)).toThrow(/needs a tensor/);
      expect(backend.memory().numBytesInGPU).toBe(numBytesInGPU);
      expect(backend.numDataIds()).toBe(count);
      x.dispose();
    });
  });
