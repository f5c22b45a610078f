import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AdamW, initialize, Linear, Random, valueAndGradients } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StageState } from "./checkpoint.js";
import { readMetrics } from "./metrics-file.js";
import { type ResumableStage, runStage, type StageRun } from "./run-stage.js";

let folder: string;
beforeAll(async () => {
  await initialize({ device: "cpu" });
  folder = await mkdtemp(join(tmpdir(), "dcr-stage-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A linear layer that learns from random inputs, each step's a function of its number. */
function regression() {
  const layer = new Linear(3, 1).initialize(new Random(1));
  const optimizer = new AdamW(layer.parameters(), { learningRate: 0.05 });
  let given = 0;
  const stage: ResumableStage = {
    async step() {
      const x = new Random(2).fork(given++).normal([4, 3]);
      const { value, gradients } = valueAndGradients(
        () => tf.tidy(() => tf.mean(tf.square(tf.sub(layer.forward(x), tf.sum(x, 1, true)))) as tf.Scalar),
        layer.parameters(),
      );
      optimizer.step(gradients);
      const loss = (await value.data())[0]!;
      tf.dispose([x, value, gradients] as never);
      return { loss, losses: { loss }, metrics: {}, gradNorm: 1 };
    },
    state: () => ({ tensors: { ...layer.stateDict(), ...optimizer.stateDict() }, progress: { step: given } }),
    restore: async ({ tensors, progress }: StageState) => {
      const { weight, bias, ...rest } = tensors;
      layer.loadStateDict({ weight: weight!, bias: bias! });
      optimizer.loadStateDict(rest);
      given = progress.step;
    },
  };
  return { stage, weights: () => Array.from(layer.weight.value.dataSync()) };
}

function stageRun(name: string, change: Partial<StageRun> = {}) {
  const { weights, ...trained } = regression();
  const file = (end: string) => join(folder, name, end);
  const run: StageRun = {
    ...trained,
    steps: 12,
    owner: { job: "test", settings: "s" },
    files: { metrics: file("m.jsonl"), checkpoint: file("c.safetensors"), events: file("e.tfevents") },
    row: { method: "rec", stage: 2, seed: 0 },
    checkpoint: { everySteps: 5, everySeconds: 1e6 },
    tensorboard: true,
    beforeWrite: () => {},
    onStep: () => {},
    stopAsked: () => false,
    ...change,
  };
  return { run, weights };
}

const timeless = async (path: string) => (await readMetrics(path)).map(({ time: _, at: __, ...row }) => row);

describe("runStage", () => {
  it("goes on after a stop or a failure at any step to the identical weights and rows", async () => {
    const whole = stageRun("whole");
    expect(await runStage(whole.run)).toBe(true);
    const rows = await timeless(whole.run.files.metrics);
    expect(rows.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    for (let at = 1; at < 12; at++) {
      const stopped = stageRun(`stop${at}`, {});
      let done = 0;
      const watch = {
        onStep: (steps: number) => {
          done = steps;
        },
        stopAsked: () => done === at,
      };
      expect(await runStage({ ...stopped.run, ...watch })).toBe(false);
      expect(await timeless(stopped.run.files.metrics)).toEqual(rows.slice(0, at));
      const resumed = stageRun(`stop${at}`);
      expect(await runStage(resumed.run)).toBe(true);
      expect(resumed.weights()).toEqual(whole.weights());
      expect(await timeless(resumed.run.files.metrics)).toEqual(rows);

      const failed = stageRun(`fail${at}`);
      const fail = (steps: number) => {
        if (steps === at) throw new Error("no more");
      };
      await expect(runStage({ ...failed.run, onStep: fail })).rejects.toThrow("no more");
      const again = stageRun(`fail${at}`);
      expect(await runStage(again.run)).toBe(true);
      expect(again.weights()).toEqual(whole.weights());
      expect(await timeless(again.run.files.metrics)).toEqual(rows);
    }
    // A record of TensorBoard for each row, and the first one, whatever was cut in between.
    const size = async (name: string) => (await readFile(join(folder, name, "e.tfevents"))).length;
    expect(await size("fail7")).toBe(await size("whole"));
  });

  it("saves by time too", async () => {
    const { run } = stageRun("time", { checkpoint: { everySteps: 100, everySeconds: 1e-9 } });
    const fail = (steps: number) => {
      if (steps === 4) throw new Error("no more");
    };
    await expect(runStage({ ...run, onStep: fail })).rejects.toThrow("no more");
    const seen: number[] = [];
    await runStage({ ...stageRun("time").run, onStep: (steps) => seen.push(steps) });
    expect(seen[0]).toBe(3);
  });

  it("writes nothing more once it may not", async () => {
    const { run } = stageRun("orphan");
    let writes = 0;
    const beforeWrite = () => {
      if (++writes > 3) throw new Error("the process that started this one has ended");
    };
    await expect(runStage({ ...run, beforeWrite })).rejects.toThrow("has ended");
    expect(await readMetrics(run.files.metrics)).toHaveLength(2);
  });

  it("names a checkpoint that the stage does not take", async () => {
    const { run } = stageRun("other");
    await runStage(run);
    await expect(runStage({ ...stageRun("other").run, steps: 3 })).rejects.toThrow(
      /c\.safetensors: the checkpoint counts 12 steps, and the stage has 3; delete this file/,
    );
    await writeFile(run.files.metrics, "");
    await expect(runStage(stageRun("other").run)).rejects.toThrow(/the row of step 0 is missing/);
  });
});
