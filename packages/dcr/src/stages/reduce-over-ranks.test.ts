import { type Communicator, initialize } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { enhance, flat, gradientMoments, readState, testSource } from "../../test/setting.js";
import { objectives } from "../objectives/objectives.js";
import type { EnhancementOptions } from "./enhancement-stage.js";

beforeAll(() => initialize({ device: "wasm" }));

/** As many communicators in one process as ranks; each collective waits until all ranks have called it. */
function communicators(size: number): Communicator[] {
  let calls: { tensors: tf.Tensor[]; resolve: (all: tf.Tensor[][]) => void }[] = [];
  const meet = (rank: number, tensors: tf.Tensor[]) =>
    new Promise<tf.Tensor[][]>((resolve) => {
      calls[rank] = { tensors, resolve };
      if (Object.keys(calls).length < size) return;
      const met = calls;
      calls = [];
      for (const call of met) call.resolve(met.map((each) => each.tensors));
    });
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    allReduce: async (tensors) => {
      const all = await meet(rank, tensors);
      // The inputs are the ranks' until every rank has its sums.
      const sums = tensors.map((_, i) => tf.addN(all.map((each) => each[i])));
      await meet(rank, []);
      return sums;
    },
    allGather: async (tensor) => {
      const all = await meet(rank, [tensor]);
      const gathered = tf.concat(all.map(([each]) => each));
      await meet(rank, []);
      return gathered;
    },
    barrier: async () => {
      await meet(rank, []);
    },
  }));
}

describe("data parallel", () => {
  it.each(["rec", "con", "naive", "dcr"] as const)(
    "equals one process with the whole batch, with %s",
    async (name) => {
      const common = { maxGradNorm: 1e9, dropout: 0, conflict: true };
      const run = (change: Partial<EnhancementOptions>) =>
        enhance(objectives[name](), { ...common, ...change }, async (stage) => {
          const record = await stage.step();
          const moments = flat(gradientMoments(stage.state()));
          await stage.step();
          return { record, moments, state: readState(stage.state()) };
        });
      await expectNoLeaks(async () => {
        const whole = await run({ source: testSource({ batchSize: 4 }) });
        const parts = await Promise.all(
          communicators(2).map((communicator) =>
            run({
              communicator,
              source: testSource({ batchSize: 2, rank: communicator.rank, processes: 2 }),
            }),
          ),
        );
        expect(parts[0].record).toEqual(parts[1].record);
        expect(parts[0].state.tensors).toEqual(parts[1].state.tensors);
        const [{ record, moments }] = parts;
        for (const [loss, value] of Object.entries(whole.record.losses)) {
          expectClose([record.losses[loss]], [value], { relative: 1e-5 });
        }
        // The spread of a positive's similarities is taken among the anchors of one process, so it differs by design.
        const amongAnchors = ["similarity/augmentedSpread", "similarity/targetSpread"];
        for (const [metric, value] of Object.entries(whole.record.metrics)) {
          if (amongAnchors.includes(metric)) continue;
          expectClose([record.metrics[metric]], [value], { absolute: 1e-5 });
        }
        expectClose([record.loss, record.gradNorm], [whole.record.loss, whole.record.gradNorm], {
          relative: 1e-5,
        });
        expectCloseNorm(moments, whole.moments, { relative: 1e-5 });
      });
    },
  );

  it("refuses ranks with batches of different sizes", async () => {
    await expectNoLeaks(async () => {
      const results = await Promise.allSettled(
        communicators(2).map((communicator) =>
          enhance(
            objectives.rec(),
            { communicator, source: testSource({ batchSize: 2 + communicator.rank }) },
            (stage) => stage.step(),
          ),
        ),
      );
      expect(results.map((result) => (result as PromiseRejectedResult).reason.message)).toEqual([
        "step 0 was not taken: communicator: 2 ranks with batches of 2 have 4 images, gathered 5; all ranks need one batch size",
        "step 0 was not taken: communicator: 2 ranks with batches of 3 have 6 images, gathered 5; all ranks need one batch size",
      ]);
    });
  });
});
