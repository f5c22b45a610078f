import { readFileSync } from "node:fs";
import { initialize } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { DDIMScheduler } from "./ddim-scheduler.js";
import { DDPMScheduler } from "./ddpm-scheduler.js";
import type { SchedulerConfigInput } from "./scheduler-config.js";

interface Golden {
  config: SchedulerConfigInput;
  alphas_cumprod: Record<string, number>;
  timesteps: Record<string, number[]>;
  prediction: number[];
  sample: number[];
  steps: { t: number; stepped: number[] }[];
  t: number[];
  noisy: number[];
  velocity: number[];
}
const { settings }: { settings: Record<string, Golden> } = JSON.parse(
  readFileSync(new URL("../../fixtures/scheduler-settings.json", import.meta.url), "utf8"),
);
const tensor = (values: number[]) => tf.tensor4d(values, [2, 2, 3, 1]);

beforeAll(() => initialize({ device: "wasm" }));

describe.each(Object.entries(settings))("schedulers with %s", (name, golden) => {
  it("have diffusers' noise schedule, timesteps, noisy samples and targets", async () => {
    const [ddpm, ddim] = [new DDPMScheduler(golden.config), new DDIMScheduler(golden.config)];
    // diffusers accumulates in float32, and divides by what is left of 1 where the noise is nearly all.
    const close = { relative: name.startsWith("zero_snr") ? 1e-3 : 2e-5, absolute: 2e-6 };
    expectClose(
      Object.keys(golden.alphas_cumprod).map((t) => ddpm.alphasCumprod[Number(t)]),
      Object.values(golden.alphas_cumprod),
      { relative: 2e-5, absolute: 1e-9 },
    );
    for (const [steps, timesteps] of Object.entries(golden.timesteps))
      expect(ddim.timesteps(Number(steps))).toEqual(timesteps);
    await expectNoLeaks(() =>
      tf.tidy(() => {
        const [x0, noise, t] = [tensor(golden.sample), tensor(golden.prediction), Int32Array.from(golden.t)];
        expectClose(ddpm.addNoise(x0, noise, t), tensor(golden.noisy), close);
        expectClose(ddpm.velocity(x0, noise, t), tensor(golden.velocity), close);
      }),
    );
  });

  it("step as diffusers does", async () => {
    const ddim = new DDIMScheduler(golden.config);
    await expectNoLeaks(() =>
      tf.tidy(() => {
        for (const { t, stepped } of golden.steps) {
          const actual = ddim.step(tensor(golden.prediction), t, tensor(golden.sample), 10);
          expectClose(actual, tensor(stepped), { relative: 5e-5, absolute: 5e-6 });
        }
      }),
    );
  });
});

describe("DDIMScheduler", () => {
  const scheduler = (config: SchedulerConfigInput) => new DDIMScheduler({ clip_sample: false, ...config });
  const x = () => tf.ones([1, 1, 1, 2]) as tf.Tensor4D;

  // https://github.com/huggingface/diffusers/issues/10003: diffusers ends with an IndexError.
  it("refuses a timestep beyond the last one, which leading spacing with an offset can give", () => {
    tf.tidy(() => {
      const ddim = scheduler({ steps_offset: 1 });
      expect(ddim.timesteps(1000)[0]).toBe(1000);
      expect(() => ddim.step(x(), 1000, x(), 1000)).toThrow(
        "DDIMScheduler.step: t must be an integer in 0..999, got 1000 (steps_offset is 1: use fewer steps)",
      );
    });
  });

  it.each([
    [-1, 50, "t must be an integer in 0..999, got -1"],
    [500.5, 50, "t must be an integer in 0..999, got 500.5"],
    [Number.NaN, 50, "t must be an integer in 0..999, got NaN"],
    [500, 0, "steps must be an integer, at least 1 and at most 1000, got 0"],
    [500, 1001, "steps must be an integer, at least 1 and at most 1000, got 1001"],
    [500, Number.NaN, "steps must be an integer, at least 1 and at most 1000, got NaN"],
    [500, undefined as never, "steps must be an integer, at least 1 and at most 1000, got undefined"],
  ])("refuses t = %s of %s steps", (t, steps, message) => {
    tf.tidy(() => {
      expect(() => scheduler({}).step(x(), t, x(), steps)).toThrow(message);
    });
    if (message.startsWith("steps")) expect(() => scheduler({}).timesteps(steps)).toThrow(message);
  });

  it("refuses shapes that differ, and epsilon of pure noise", () => {
    tf.tidy(() => {
      const wide = tf.ones([1, 1, 2, 2]) as tf.Tensor4D;
      expect(() => scheduler({}).step(wide, 5, x(), 10)).toThrow("[1,1,2,2] and sample [1,1,1,2] must agree");
      const ddim = scheduler({ rescale_betas_zero_snr: true });
      expect(() => ddim.step(x(), 999, x(), 10)).toThrow(/at t = 999 the sample is pure noise/);
    });
  });
});

describe("DDPMScheduler", () => {
  it("refuses timesteps that are not there and shapes that differ", () => {
    tf.tidy(() => {
      const ddpm = new DDPMScheduler({});
      const x = tf.zeros([1, 1, 1, 1]) as tf.Tensor4D;
      for (const t of [-1, 1000]) {
        expect(() => ddpm.addNoise(x, x, Int32Array.of(t))).toThrow(`timestep ${t} is not in 0..999`);
      }
      for (const t of [0.5, Number.NaN]) {
        expect(() => ddpm.velocity(x, x, [t] as never)).toThrow(`timestep ${t} is not in 0..999`);
      }
      expect(() => ddpm.target(x, x, Int32Array.of(1, 2))).toThrow(/one timestep for each row, got 2/);
    });
  });
});

it("a schedule of one timestep has its first variance", () => {
  for (const beta_schedule of ["linear", "scaled_linear"] as const) {
    const { alphasCumprod } = new DDPMScheduler({ num_train_timesteps: 1, beta_schedule, beta_start: 0.01 });
    expectClose(alphasCumprod, [0.99], { relative: 1e-12 });
  }
  // The cosine schedule's is cut to 0.999.
  const cosine = new DDPMScheduler({ num_train_timesteps: 1, beta_schedule: "squaredcos_cap_v2" });
  expectClose(cosine.alphasCumprod, [0.001], { relative: 1e-9 });
  // Rescaled, the last timestep, which is the only one, is pure noise.
  const rescaled = new DDPMScheduler({ num_train_timesteps: 1, rescale_betas_zero_snr: true });
  expectClose(rescaled.alphasCumprod, [0], {});
  expect(new DDIMScheduler({ num_train_timesteps: 1, timestep_spacing: "linspace" }).timesteps(1)).toEqual([
    0,
  ]);
});

it("DDIM refuses timesteps outside of the schedule, and sizes that differ", () => {
  tf.tidy(() => {
    const ddim = new DDIMScheduler({ num_train_timesteps: 10 });
    const x = tensor(new Array(12).fill(0));
    for (const t of [-1, 10, 0.5, Number.NaN])
      expect(() => ddim.step(x, t, x, 5)).toThrow("DDIMScheduler.step: t");
    for (const t of [0, 9]) expect(ddim.step(x, t, x, 5).shape).toEqual(x.shape);
    for (const steps of [0, 11, 1.5]) {
      expect(() => ddim.step(x, 0, x, steps)).toThrow("steps");
      expect(() => ddim.timesteps(steps)).toThrow("steps");
    }
    expect(ddim.timesteps(10)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(() => ddim.step(tf.zeros([1, 2, 3, 1]), 0, x, 5)).toThrow("prediction");
  });
});
