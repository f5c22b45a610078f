import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import { backendName } from "./backend-name.js";
import { profile } from "./profile.js";
import { registerWebGPUBackend } from "./register-backend.js";

const { device } = await webgpuDevice();

it("says which backend it needs", async () => {
  await tf.setBackend("cpu");
  await expect(profile(() => tf.scalar(1))).rejects.toThrow(
    'only the WebGPU backend times its kernels, and tfjs runs "cpu"',
  );
});

if (device?.features.has("timestamp-query"))
  describe("profile", () => {
    beforeAll(async () => {
      // Smaller batches than the profiled functions dispatch.
      registerWebGPUBackend(device, { maxDispatches: 4 });
      await tf.setBackend(backendName);
    });
    afterAll(() => tf.removeBackend(backendName));

    const multiply = () =>
      tf.tidy(() => {
        const x = tf.fill([128, 128], 1);
        return Array.from({ length: 9 }, () => tf.matMul(x, x)).map((y) => tf.neg(y));
      });

    it("gives dispatches and times of each kernel, the largest first", async () => {
      tf.dispose(multiply());
      const times = await profile(async () => {
        const [y, ...others] = multiply();
        expect((await y.data())[0]).toBe(-128);
        tf.dispose([y, ...others]);
      });
      const counts = Object.entries(times).map(([kernel, { dispatches }]) => [kernel, dispatches]);
      expect(Object.fromEntries(counts)).toEqual({ BatchMatMul: 9, Neg: 9, Fill: 1 });
      const spent = Object.values(times).map(({ gpuMs }) => gpuMs);
      expect(spent).toEqual([...spent].sort((a, b) => b - a));
      expect(spent[0]).toBeGreaterThan(0);
    });

    it("times only what f does, and nothing where f does nothing", async () => {
      const [x, before] = [tf.fill([64], 1), tf.neg(tf.fill([64], 1))];
      const times = await profile(() => tf.dispose(tf.square(x)));
      expect(Object.keys(times)).toEqual(["Square"]);
      expect(await profile(() => {})).toEqual({});
      tf.dispose([x, before]);
    });

    it("hands on what f throws, and is there for the next", async () => {
      const failing = async () => {
        tf.dispose(tf.neg(tf.fill([64], 1)));
        throw new Error("of f");
      };
      await expect(profile(failing)).rejects.toThrow("of f");
      expect(Object.keys(await profile(() => tf.dispose(tf.fill([64], 1))))).toEqual(["Fill"]);
      const [first, second] = await Promise.allSettled([profile(async () => {}), profile(() => {})]);
      expect(first.status).toBe("fulfilled");
      expect(second).toMatchObject({ reason: { message: "profile: another profile is under way" } });
    });
  });
