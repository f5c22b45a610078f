import { initialize, Random, singleProcess } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { setting } from "../../test/setting.js";
import { recObjective } from "../objectives/rec.js";
import { noisyBatch } from "./noisy-batch.js";
import { checkStageOptions, type StageOptions } from "./stage-options.js";

beforeAll(() => initialize({ device: "cpu" }));

const n = 4;
const shape: [number, number, number, number] = [n, 2, 2, 4];

async function withBatch(
  change: Partial<StageOptions>,
  use: (batch: ReturnType<typeof noisyBatch>, given: ReturnType<typeof setting>["options"]) => void,
) {
  await expectNoLeaks(() => {
    const { options, dispose } = setting();
    const settings = checkStageOptions("test", { ...options, ...change, objective: recObjective() });
    const posterior = { mean: tf.fill(shape, 0.5), logvar: tf.fill(shape, -200) } as const;
    const batch = noisyBatch(settings, posterior as never, new Random(3));
    use(batch, options);
    tf.dispose([posterior.mean, posterior.logvar, batch.noisy, batch.target]);
    dispose();
  });
}

describe("noisyBatch", () => {
  it("mixes scaled latents with the noise that is the target", () =>
    withBatch({}, ({ noisy, target, timesteps }, { scheduler, latents }) => {
      expect(timesteps.length).toBe(n);
      // The variance is all but 0, so x0 is the mean times the scaling factor.
      const x0 = 0.5 * latents.scalingFactor;
      const eps = target.dataSync<"float32">();
      const expected = eps.map((value, at) => {
        const abar = scheduler.alphasCumprod[timesteps[Math.floor(at / 16)]];
        return Math.sqrt(abar) * x0 + Math.sqrt(1 - abar) * value;
      });
      expectClose(noisy, expected, { absolute: 1e-6 });
      const mean = eps.reduce((sum, value) => sum + value, 0) / eps.length;
      expect(Math.abs(mean)).toBeLessThan(0.5);
    }));

  it("takes the velocity for a target where it is asked to", () =>
    withBatch({ target: "velocity" }, ({ noisy, target, timesteps }, { scheduler, latents }) => {
      const x0 = 0.5 * latents.scalingFactor;
      const expected = noisy.dataSync().map((value, at) => {
        const abar = scheduler.alphasCumprod[timesteps[Math.floor(at / 16)]];
        const eps = (value - Math.sqrt(abar) * x0) / Math.sqrt(1 - abar);
        return Math.sqrt(abar) * eps - Math.sqrt(1 - abar) * x0;
      });
      expectCloseNorm(target, expected, { relative: 1e-4 });
    }));

  it("draws an image's noise whatever the number of processes", async () => {
    const { options, dispose } = setting();
    const draw = (rank: number, size: number) => {
      const communicator = { ...singleProcess, rank, size };
      const settings = checkStageOptions("test", { ...options, communicator, objective: recObjective() });
      const own: [number, number, number, number] = [n / size, 2, 2, 4];
      const posterior = { mean: tf.zeros(own), logvar: tf.zeros(own) } as never;
      const { noisy, target, timesteps } = noisyBatch(settings, posterior, new Random(3));
      const values = [...timesteps, ...noisy.dataSync(), ...target.dataSync()];
      tf.dispose([noisy, target, posterior]);
      return { timesteps: [...timesteps], first: values.slice(own[0], own[0] + 16) };
    };
    const whole = draw(0, 1);
    const parts = [draw(0, 2), draw(1, 2)];
    expect(parts.flatMap(({ timesteps }) => timesteps)).toEqual(whole.timesteps);
    expect(parts[0].first).toEqual(whole.first);
    expect(parts[1].first).not.toEqual(whole.first);
    dispose();
  });
});
