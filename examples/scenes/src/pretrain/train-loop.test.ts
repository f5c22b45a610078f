import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialize, Parameter, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { trainLoop } from "./train-loop.js";

let checkpoints: string;
beforeAll(() => initialize({ device: "cpu" }));
beforeEach(async () => {
  checkpoints = await mkdtemp(join(tmpdir(), "train-"));
});
afterEach(() => rm(checkpoints, { recursive: true }));

const steps = 230;
const random = new Random(1);

/** Fits three weights to noisy targets around 1, 2 and 3; stops with an error at step `breaksAt`. */
async function fit(options: { breaksAt?: number } = {}) {
  const parameter = new Parameter([3]);
  tf.tidy(() => parameter.assign(tf.zeros([3])));
  const loss = (step: number) => {
    if (step === options.breaksAt) throw new Error("stopped");
    const target = tf.add(random.fork(step).normal([3]), [1, 2, 3]);
    return tf.mean(tf.square(tf.sub(parameter.value, target))) as tf.Scalar;
  };
  const settings = {
    name: "fit",
    parameters: [parameter],
    learningRate: 0.1,
    averageDecay: 0.9,
    checkpoints,
  };
  try {
    const curve = await trainLoop({ ...settings, loss, steps });
    return { curve, weights: Array.from(parameter.value.dataSync()) };
  } finally {
    parameter.dispose();
  }
}

describe("trainLoop", () => {
  it("learns, leaves no checkpoint and no tensor behind, and ends its curve with the last step", async () => {
    const before = tf.memory().numTensors;
    const { curve, weights } = await fit();
    expect(tf.memory().numTensors).toBe(before);
    expect(await readdir(checkpoints)).toEqual([]);
    expect(curve.map(({ step }) => step)).toEqual([50, 100, 150, 200, 230]);
    for (const [i, weight] of weights.entries()) expect(Math.abs(weight - (i + 1))).toBeLessThan(0.4);
  });

  it("goes on after an interruption to the same weights, bit for bit", async () => {
    const whole = await fit();
    await expect(fit({ breaksAt: 217 })).rejects.toThrow("stopped");
    expect(await readdir(checkpoints)).toContain(`fit-${steps}.safetensors`);
    const resumed = await fit();
    expect(resumed.weights).toEqual(whole.weights);
    expect(resumed.curve.map(({ step, loss }) => [step, loss])).toEqual(
      whole.curve.map(({ step, loss }) => [step, loss]),
    );
  });

  it("names a checkpoint that it cannot read", async () => {
    const path = join(checkpoints, `fit-${steps}.safetensors`);
    await writeFile(path, "broken");
    await expect(fit()).rejects.toThrow(path);
  });
});
