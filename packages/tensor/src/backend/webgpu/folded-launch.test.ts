import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import { backendName } from "./backend-name.js";
import { foldWorkgroups } from "./folded-launch.js";
import type { GridLaunch } from "./launch.js";
import { registerWebGPUBackend } from "./register-backend.js";
import type { WebGPUBackend } from "./webgpu-backend.js";

const { device } = await webgpuDevice();

describe.runIf(device)("foldWorkgroups", () => {
  let backend: WebGPUBackend;
  beforeAll(async () => {
    registerWebGPUBackend(device!, { checkKeys: true });
    await tf.setBackend(backendName);
    backend = tf.backend() as WebGPUBackend;
  });
  afterAll(() => tf.removeBackend(backendName));

  /** Adds 1 + 1000 * (the number of workgroups that the kernel sees) at each workgroup's place. */
  const launch = (workgroups: GridLaunch["workgroups"]): GridLaunch => {
    const count = workgroups[0] * workgroups[1] * workgroups[2];
    return {
      name: "Visit",
      key: "",
      inputs: [],
      outputs: [{ name: "result", info: backend.fromHost(new Int32Array(count), [count], "int32") }],
      workgroups,
      workgroupSize: [2, 1, 1],
      body: () => `let at = group.x + groups.x * (group.y + groups.y * group.z);
  workgroupBarrier();
  if (localIndex == 1u) { store_result(at, load_result(at) + 1 + 1000 * i32(groups.x * groups.y * groups.z)); }`,
    };
  };

  it.each([
    [[9, 1, 1], 8],
    [[1, 2, 9], 5],
    [[7, 3, 1], 5],
    [[2, 2, 12], 7],
    [[2, 3, 4], 4],
  ] as const)("visits each workgroup of %j once where %i fit along an axis", async (workgroups, most) => {
    const whole = launch(workgroups);
    const folded = foldWorkgroups(whole, most);
    expect(Math.max(...folded.workgroups)).toBeLessThanOrEqual(most);
    backend.launch(folded);
    const { dataId } = whole.outputs[0].info;
    const values = await backend.read(dataId);
    backend.disposeData(dataId);
    const count = workgroups[0] * workgroups[1] * workgroups[2];
    expect(values).toEqual(new Int32Array(count).fill(1 + 1000 * count));
  });

  it("keeps a launch that fits", () => {
    const whole = launch([2, 3, 4]);
    expect(foldWorkgroups(whole, 4)).toBe(whole);
    backend.disposeData(whole.outputs[0].info.dataId);
  });

  it("refuses more workgroups than fit along two axes", () => {
    const whole = launch([6, 3, 2]);
    expect(() => foldWorkgroups(whole, 5)).toThrow("it needs 36 workgroups; the device takes at most 25");
    backend.disposeData(whole.outputs[0].info.dataId);
  });
});
