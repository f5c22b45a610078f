import { createImageSource, imageArray } from "@dcr-js/data";
import { initialize } from "@dcr-js/tensor";
import { uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { readState, setting, size, take } from "../../test/setting.js";
import { createAlignmentStage } from "./alignment-stage.js";

beforeAll(() => initialize({ device: "wasm" }));

const images = Array.from({ length: 7 }, (_, i) => ({
  name: `image ${i}`,
  image: { data: uniformArray(50 + i, 12 * 10 * 3, 0, 1), width: 12, height: 10 },
}));
const open = () => createImageSource(imageArray(images), { batchSize: 3, size, seed: 1, workers: 0 });

describe("a stage on a source of @dcr-js/data", () => {
  it("trains, and goes on from a state with the same images", async () => {
    const run = async (
      steps: number,
      state?: ReturnType<ReturnType<typeof createAlignmentStage>["state"]>,
    ) => {
      const { options, dispose } = setting();
      const source = await open();
      const stage = createAlignmentStage({ ...options, source });
      if (state) await stage.restore(state);
      const records = await take(stage, steps);
      const end = stage.state();
      stage.dispose();
      await source.close();
      dispose();
      return { records, end };
    };
    const whole = await run(4);
    const half = await run(2);
    half.end.progress = JSON.parse(JSON.stringify(half.end.progress));
    const resumed = await run(2, half.end);
    expect(resumed.records).toEqual(whole.records.slice(2));
    expect(readState(resumed.end)).toEqual(readState(whole.end));
    tf.dispose(half.end.tensors);
  });
});
