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
  timesteps: number[];
  alphas_cumprod: number[];
  x0: number[];
  noise: number[];
  t: number[];
  noisy: number[];
  velocity: number[];
  step: number;
  stepped: number[];
}

const goldens: Golden[] = JSON.parse(
  readFileSync(new URL("../../fixtures/schedulers.json", import.meta.url), "utf8"),
);
// diffusers accumulates abar in float32, we in float64: its last digits are its own.
const close = { relative: 2e-5, absolute: 2e-6 };

describe.each(
  goldens.map((golden) => [golden.config.prediction_type, golden.config.beta_schedule, golden] as const),
)("schedulers with %s, %s", (_prediction, _schedule, golden) => {
  beforeAll(() => initialize({ device: "wasm" }));
  const tensor = (values: number[]) => tf.tensor4d(values, [2, 2, 3, 1]);

  it("agree with diffusers", async () => {
    await expectNoLeaks(() =>
      tf.tidy(() => {
        const ddpm = new DDPMScheduler(golden.config);
        const ddim = new DDIMScheduler(golden.config);
        const t = Int32Array.from(golden.t);
        const [x0, noise] = [tensor(golden.x0), tensor(golden.noise)];
        expectClose(
          [0, 1, 500, 999].map((i) => ddpm.alphasCumprod[i]),
          golden.alphas_cumprod,
          close,
        );
        expectClose(ddpm.addNoise(x0, noise, t), tensor(golden.noisy), close);
        expectClose(ddpm.velocity(x0, noise, t), tensor(golden.velocity), close);
        expect(ddim.timesteps(10)).toEqual(golden.timesteps);
        expectClose(ddim.step(noise, golden.step, x0, 10), tensor(golden.stepped), {
          relative: 5e-5,
          absolute: 5e-6,
        });
      }),
    );
  });
});

describe("DDPMScheduler", () => {
  it("follows the prediction type in its target", () => {
    tf.tidy(() => {
      const [x0, noise] = [tf.fill([1, 1, 1, 1], 2) as tf.Tensor4D, tf.fill([1, 1, 1, 1], 3) as tf.Tensor4D];
      const t = Int32Array.of(400);
      const target = (prediction_type: "epsilon" | "v_prediction" | "sample") =>
        new DDPMScheduler({ prediction_type }).target(x0, noise, t);
      expectClose(target("epsilon"), noise);
      expectClose(target("sample"), x0);
      expectClose(target("v_prediction"), new DDPMScheduler({}).velocity(x0, noise, t));
    });
  });

  it("refuses a timestep that does not exist", () => {
    const x = tf.zeros([1, 1, 1, 1]) as tf.Tensor4D;
    expect(() => new DDPMScheduler({}).addNoise(x, x, Int32Array.of(1000))).toThrow(
      /1000 is not in 0\.\.999/,
    );
    x.dispose();
  });
});
