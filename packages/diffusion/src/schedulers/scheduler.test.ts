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
  // DDPMScheduler of diffusers 0.42.1 with these settings; it accumulates in float32.
  it("has the sigmoid schedule", () => {
    const scheduler = new DDPMScheduler({ beta_schedule: "sigmoid", beta_start: 1e-7, beta_end: 2e-3 });
    expectClose(
      [0, 1, 500, 999].map((i) => scheduler.alphasCumprod[i]),
      [0.9999949336051941, 0.9999898076057434, 0.8904049396514893, 0.36755406856536865],
      close,
    );
  });

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

  it("refuses latents without an axis of rows, and other types, by their names", () => {
    tf.tidy(() => {
      const scheduler = new DDPMScheduler({ prediction_type: "v_prediction" });
      for (const method of ["addNoise", "velocity", "target"] as const) {
        for (const shape of [
          [8, 8, 4],
          [2, 3],
          [1, 8, 8, 4, 1],
        ]) {
          const x = tf.ones(shape) as unknown as tf.Tensor4D;
          expect(() => scheduler[method](x, x, new Int32Array(shape[0]!))).toThrow(
            `DDPMScheduler: x0 must be float32 [rows, height, width, channels], got float32 [${shape}]`,
          );
        }
        const [x, ints] = [tf.ones([1, 2, 2, 1]), tf.ones([1, 2, 2, 1], "int32")] as tf.Tensor4D[];
        expect(() => scheduler[method](x!, ints!, new Int32Array(1))).toThrow(
          "DDPMScheduler: noise must be float32 [rows, height, width, channels], got int32 [1,2,2,1]",
        );
      }
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
