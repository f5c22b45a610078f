import { expectClose, type Tolerance } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { correctCpuKernels } from "../src/backend/cpu/correct-kernels.js";
import { backendName } from "../src/backend/webgpu/backend-name.js";
import { registerWebGPUBackend } from "../src/backend/webgpu/register-backend.js";
import type { WebGPUBackend } from "../src/backend/webgpu/webgpu-backend.js";
import { requestWebGPUDevice } from "../src/device/request-device.js";
import { registerFusedKernels } from "../src/ops/fused-kernel.js";
import { webgpuDevice } from "./test-backends.js";

/** A computation from nothing: it makes its own inputs, so that each backend gets the same. */
export type Computation = () => tf.Tensor | tf.Tensor[];

export interface Case extends Tolerance {
  run: Computation;
  /** Whether 0 and -0 are told apart. */
  signedZeros?: boolean;
}

async function outputsOn(backend: string, run: Computation) {
  await tf.setBackend(backend);
  const before = tf.memory();
  const outputs = tf.tidy(() => [run()].flat());
  const values = await Promise.all(
    outputs.map(async (y) => ({ shape: y.shape, dtype: y.dtype, data: await y.data() })),
  );
  tf.dispose(outputs);
  const after = tf.memory();
  expect(after.numTensors).toBe(before.numTensors);
  expect(after.numDataBuffers).toBe(before.numDataBuffers);
  return values;
}

/** Where `values` hold -0, at the places where `of` (by default the values themselves) is a zero. */
const negativeZeros = (values: ArrayLike<unknown>, of = values): number[] =>
  Array.from(values).flatMap((value, i) => (of[i] === 0 && Object.is(value, -0) ? [i] : []));

/** Ways that a kernel can be laid out; subgroups needs a CPU adapter that has them and is registers again where it has none. */
const allSchedules = [
  { schedule: "subgroups", isSoftware: true, subgroups: true },
  { schedule: "registers", isSoftware: true, subgroups: false },
  { schedule: "workgroups", isSoftware: false, subgroups: false },
];

/**
 * Declares a test for each case: the outputs on dcr-webgpu have the shapes, dtypes and values of those on tfjs's cpu backend, as `initialize` corrects it,
 * to a relative 1e-5 plus 1e-6 unless the case says otherwise, and nothing leaks, to the byte. A kernel that has one
 * schedule for CPU adapters and one for GPUs (`schedules: "all"`) is run by each, on whichever adapter there is.
 */
export async function describeAgainstCpu(
  title: string,
  cases: Record<string, Computation | Case>,
  { schedules = "adapter's" }: { schedules?: "adapter's" | "all" } = {},
): Promise<void> {
  const { device, reason } = await webgpuDevice();
  if (!device) {
    it(`${title}: no adapter, and the request says so`, async () => {
      expect(reason).toMatch(/no WebGPU adapter|does not load/);
      await expect(requestWebGPUDevice()).rejects.toThrow(reason);
    });
    return;
  }
  correctCpuKernels();
  const variants =
    schedules === "all"
      ? allSchedules
      : [{ schedule: "adapter's", isSoftware: device.isSoftware, subgroups: true }];
  describe.each(variants)(`${title} ($schedule schedule)`, ({ isSoftware, subgroups }) => {
    let backend: WebGPUBackend;
    beforeAll(async () => {
      registerWebGPUBackend({ device: device.device, isSoftware }, { subgroups, checkKeys: true });
      registerFusedKernels("cpu");
      registerFusedKernels(backendName);
      // tfjs then checks every kernel for intermediate tensors it forgot.
      tf.env().set("IS_TEST", true);
      await tf.setBackend(backendName);
      backend = tf.backend() as WebGPUBackend;
    });
    afterAll(async () => {
      await tf.setBackend("cpu");
      tf.removeBackend(backendName);
    });
    it.each(Object.entries(cases))("%s", async (_name, entry) => {
      const {
        run,
        relative = 1e-5,
        absolute = 1e-6,
        signedZeros = false,
      } = typeof entry === "function" ? { run: entry } : entry;
      const expected = await outputsOn("cpu", run);
      const bytes = backend.memory().numBytesInGPU;
      const actual = await outputsOn(backendName, run);
      expect(backend.memory().numBytesInGPU).toBe(bytes);
      expect(actual.map(({ shape, dtype }) => ({ shape, dtype }))).toEqual(
        expected.map(({ shape, dtype }) => ({ shape, dtype })),
      );
      for (const [i, { data, dtype }] of actual.entries()) {
        if (dtype === "string") expect(data).toEqual(expected[i].data);
        else expectClose(data, expected[i].data, { relative, absolute });
        if (signedZeros)
          expect(negativeZeros(data, expected[i].data)).toEqual(negativeZeros(expected[i].data));
      }
    });
  });
}
