import { DDPMScheduler, type Denoiser } from "@dcr-js/diffusion";
import { initialize, Random } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { setting } from "../../test/setting.js";
import { predictionSpread } from "./prediction-spread.js";
import { measurePredictionType, type PredictionType } from "./prediction-type.js";

beforeAll(() => initialize({ device: "wasm" }));

describe("predictionSpread", () => {
  it("is the mean cosine of the anchors with target, views and negatives, at each timestep", async () => {
    await expectNoLeaks(async () => {
      const { options, dispose } = setting();
      const { denoiser, scheduler } = options;
      const random = new Random(1);
      const latents = random.normal([3, 4, 4, 4]) as tf.Tensor4D;
      const [conditions, views] = [random.normal([3, 10]), random.normal([3, 10])] as tf.Tensor2D[];
      const given = { denoiser, scheduler, latents, conditions, seed: 7 };
      const timesteps = [40, 900];
      const spread = await predictionSpread({ ...given, augmentedConditions: views, timesteps, chunk: 5 });
      const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) => {
        let [dot, aa, bb] = [0, 0, 0];
        for (let d = 0; d < a.length; d++) {
          dot += a[d] * b[d];
          aa += a[d] ** 2;
          bb += b[d] ** 2;
        }
        return dot / Math.sqrt(aa * bb);
      };
      for (const [at, t] of timesteps.entries()) {
        const all = Int32Array.of(t, t, t);
        const noise = new Random(7).fork("noise").normal([3, 4, 4, 4]) as tf.Tensor4D;
        const noisy = scheduler.addNoise(latents, noise, all);
        const prepared = denoiser.prepare(noisy, all);
        const predict = (i: number, e: tf.Tensor) => {
          const one = denoiser.predict(prepared, Int32Array.of(i), e);
          const values = one.dataSync().slice();
          tf.dispose([one, e]);
          return values;
        };
        const mean = { target: 0, augmented: 0, negatives: 0 };
        for (let i = 0; i < 3; i++) {
          const anchor = predict(i, tf.slice(conditions, i, 1));
          const truth = noise.dataSync().slice(i * 64, (i + 1) * 64);
          mean.target += cosine(anchor, truth) / 3;
          mean.augmented += cosine(anchor, predict(i, tf.slice(views, i, 1))) / 3;
          for (let k = 0; k < 3; k++) {
            if (k !== i) mean.negatives += cosine(anchor, predict(i, tf.slice(conditions, k, 1))) / 6;
          }
        }
        prepared.dispose();
        tf.dispose([noise, noisy]);
        expect(spread[at].timestep).toBe(t);
        const { target, augmented, negatives } = spread[at];
        expectClose([target, augmented!, negatives], [mean.target, mean.augmented, mean.negatives], {
          absolute: 1e-5,
        });
      }
      const [alone] = await predictionSpread({ ...given, timesteps: [40] });
      expect(alone.augmented).toBeUndefined();
      expectClose([alone.negatives, alone.target], [spread[0].negatives, spread[0].target], {
        absolute: 1e-6,
      });
      await expect(predictionSpread({ ...given, timesteps: [1000] })).rejects.toThrow(
        "predictionSpread: timesteps[0] must be an integer, at least 0 and less than 1000, got 1000",
      );
      const refused: [object, string][] = [
        [{ chunks: 2 }, 'unknown option "chunks"'],
        [{ chunk: -1 }, "chunk must be an integer, at least 0, got -1"],
        [{ seed: 0.5 }, "seed must be an integer, at least 0, got 0.5"],
        [{ timesteps: [-1] }, "timesteps[0] must be an integer, at least 0 and less than 1000, got -1"],
        [
          { conditions: tf.slice(conditions, 0, 2) },
          "of two images or more, one row each, got [3,4,4,4] and [2,10]",
        ],
        [{ timesteps: 40 }, "timesteps must be an array of numbers, got 40"],
        [
          { augmentedConditions: tf.slice(views, 0, 2) },
          "augmentedConditions must be [3,10] as conditions are, got [2,10]",
        ],
        [
          { latents: tf.slice(latents, 0, 1), conditions: tf.slice(conditions, 0, 1) },
          "got [1,4,4,4] and [1,10]",
        ],
      ];
      for (const [change, message] of refused) {
        await expect(predictionSpread({ ...given, timesteps: [40], ...change })).rejects.toThrow(message);
        tf.dispose(change as tf.TensorContainer);
      }
      // The default makes 16 of the 36 at once.
      const calls: number[] = [];
      const counting = {
        ...denoiser,
        predict: (...args: Parameters<typeof denoiser.predict>) => {
          calls.push(args[1].length);
          return denoiser.predict(...args);
        },
      };
      const six = tf.concat([latents, latents]);
      const twelve = tf.concat([conditions, conditions]);
      await predictionSpread({
        ...given,
        denoiser: counting,
        latents: six,
        conditions: twelve,
        timesteps: [40],
      });
      expect(calls).toEqual([16, 16, 4]);
      tf.dispose([six, twelve]);
      tf.dispose([latents, conditions, views]);
      dispose();
    });
  });
});

describe("measurePredictionType", () => {
  it.each(["epsilon", "v_prediction", "sample"] as const)(
    "finds a denoiser that predicts %s",
    async (type) => {
      const scheduler = new DDPMScheduler({ num_train_timesteps: 1000, prediction_type: "epsilon" });
      await expectNoLeaks(async () => {
        const latents = new Random(2).normal([4, 4, 4, 4]) as tf.Tensor4D;
        const noise = new Random(3).fork("noise").normal([4, 4, 4, 4]) as tf.Tensor4D;
        // Knows the answer, and adds a little error.
        const denoiser: Denoiser = {
          conditionSize: 2,
          latentChannels: 4,
          capabilities: { additiveConditions: false, sharedPrefix: false, tokenConditions: false },
          prepare: (_, timesteps) => ({ timesteps, dispose: () => {} }),
          predict: (prepared) => {
            const { timesteps } = prepared as unknown as { timesteps: Int32Array };
            const answers: Record<PredictionType, () => tf.Tensor4D> = {
              epsilon: () => noise,
              v_prediction: () => scheduler.velocity(latents, noise, timesteps),
              sample: () => latents,
            };
            return tf.mul(answers[type](), 1.1);
          },
          dispose: () => {},
        };
        const measured = await measurePredictionType({ denoiser, scheduler, latents, seed: 3 });
        expect(measured.closest).toBe(type);
        expect(measured.configured).toBe("epsilon");
        expectClose([measured.errors[type]], [0.01], { relative: 1e-3 });
        const given = { denoiser, scheduler, latents };
        await expect(measurePredictionType({ ...given, seed: -1 })).rejects.toThrow(
          "measurePredictionType: seed must be an integer, at least 0, got -1",
        );
        await expect(measurePredictionType({ ...given, seed: 3, steps: 2 } as never)).rejects.toThrow(
          'measurePredictionType: unknown option "steps"',
        );
        // As a model in float16 whose values overflow.
        const broken = { ...denoiser, predict: () => tf.fill([4, 4, 4, 4], Number.NaN) as tf.Tensor4D };
        await expect(measurePredictionType({ ...given, denoiser: broken, seed: 3 })).rejects.toThrow(
          "measurePredictionType: the errors must be numbers, got epsilon NaN, v_prediction NaN, sample NaN; latents or predictions are not finite",
        );
        tf.dispose([latents, noise]);
      });
    },
  );
});
