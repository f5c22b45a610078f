import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { webgpuDevice } from "../../../test/test-backends.js";
import { backendName } from "./backend-name.js";
import { gridLaunchOf } from "./linear-launch.js";
import { registerWebGPUBackend } from "./register-backend.js";
import type { WebGPUBackend } from "./webgpu-backend.js";

const { device } = await webgpuDevice();

/** Few workgroups along an axis, so that both axes are needed. */
const traits = [
  { vectorSize: 4, maxWorkgroups: 8 },
  { vectorSize: 8, maxWorkgroups: 8 },
  { vectorSize: 0, maxWorkgroups: 8 },
  { vectorSize: 0, maxWorkgroups: 65535 },
];

describe.runIf(device).each(traits)("a linear launch distributed by %o", (trait) => {
  let backend: WebGPUBackend;
  beforeAll(async () => {
    registerWebGPUBackend(device!, { checkKeys: true });
    await tf.setBackend(backendName);
    backend = tf.backend() as WebGPUBackend;
  });
  afterAll(() => tf.removeBackend(backendName));

  const visits = async (count: number, rowLength?: number) => {
    const place = rowLength ? "row * u.rowLength + column" : "index";
    const grid = gridLaunchOf(
      {
        name: "Visit",
        key: place,
        inputs: [],
        outputs: [{ name: "result", info: backend.fromHost(new Int32Array(count), [count], "int32") }],
        count,
        rowLength,
        body: () => `store_result(index, load_result(index) + i32(${place}) + 1);`,
      },
      trait,
    );
    backend.launch(grid);
    const { dataId } = grid.outputs[0].info;
    const values = await backend.read(dataId);
    backend.disposeData(dataId);
    return values;
  };
  const once = (count: number) => Int32Array.from({ length: count }, (_, i) => i + 1);

  it.each([1, 7, 8, 9, 515, 2000])("visits each of %i indices once", async (count) => {
    expect(await visits(count)).toEqual(once(count));
  });

  it.each([
    [1, 1],
    [1, 1000],
    [3, 5],
    [5, 8],
    [9, 33],
    [200, 9],
    [300, 3],
  ])("visits each place of %i rows of %i once", async (rows, rowLength) => {
    expect(await visits(rows * rowLength, rowLength)).toEqual(once(rows * rowLength));
  });

  it("needs no workgroup for nothing", () => {
    const nothing = { name: "Nothing", key: "", inputs: [], outputs: [], count: 0, body: () => "" };
    expect(gridLaunchOf(nothing, trait).workgroups).toContain(0);
  });
});
