import { initialize } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  changed,
  flat,
  gradientMoments,
  parametersOf,
  readState,
  setting,
  take,
  testSource,
} from "../../test/setting.js";
import { createImageCache } from "../image-cache/image-cache.js";
import { objectives } from "../objectives/objectives.js";
import { type AlignmentOptions, createAlignmentStage } from "./alignment-stage.js";
import type { Stage } from "./stage.js";

// A spy: the cache works as usual, and the tests read the arguments of its calls.
vi.mock("../image-cache/image-cache.js", { spy: true });
beforeAll(() => initialize({ device: "wasm" }));

async function align<T>(
  change: Partial<AlignmentOptions>,
  use: (stage: Stage, given: ReturnType<typeof setting>) => Promise<T>,
): Promise<T> {
  const given = setting();
  const stage = createAlignmentStage({ ...given.options, ...change });
  try {
    return await use(stage, given);
  } finally {
    stage.dispose();
    given.dispose();
  }
}

describe("createAlignmentStage", () => {
  it.each(["rec", "dcr"] as const)("trains only the projector with %s, and leaks nothing", async (name) => {
    const run = () =>
      align({ objective: objectives[name]() }, async (stage, { options, unet }) => {
        const modules = [options.projector, options.encoder, unet];
        const before = modules.map(parametersOf);
        const records = await take(stage, 3);
        const [ofProjector, ...ofOthers] = modules.map((m, i) => changed(before[i], parametersOf(m)));
        expect(ofOthers).toEqual([[], []]);
        expect(ofProjector).toEqual(Array.from(options.projector.namedParameters(), ([each]) => each));
        return { records, state: readState(stage.state()) };
      });
    await expectNoLeaks(async () => expect(await run()).toEqual(await run()));
  });

  it("uses the reconstruction objective by default, and refuses one without predictions", async () => {
    const losses = await align({}, async (stage) => (await stage.step()).losses);
    expect(Object.keys(losses)).toEqual(["rec"]);
    // It needs no negatives, so a batch may be one image.
    const one = await align({ source: testSource({ batchSize: 1 }) }, async (stage) => take(stage, 2));
    for (const { loss, gradNorm } of one) expect(loss * gradNorm).toBeGreaterThan(0);
    await expect(align({ objective: objectives.con() }, async () => {})).rejects.toThrow(
      "createAlignmentStage: objective must use predictions, as the projector is trained through them only, got con",
    );
    await expect(align({ featureCacheBytes: -1 }, async () => {})).rejects.toThrow(
      "createAlignmentStage: featureCacheBytes must be an integer, at least 0, got -1",
    );
  });

  it("keeps 256 MiB of features where nothing is said, and none of local tokens", async () => {
    for (const change of [{}, { featureCacheBytes: undefined }]) {
      await align(change, async () => {});
      expect(createImageCache).toHaveBeenLastCalledWith(256 * 1024 ** 2);
    }
    vi.mocked(createImageCache).mockClear();
    await align({ featureCacheBytes: 0 }, async () => {});
    await align({ localTokens: 0.5 }, async () => {});
    await align({ localTokens: 0.5, featureCacheBytes: 0 }, async () => {});
    expect(createImageCache).not.toHaveBeenCalled();
    await expect(align({ localTokens: 0.5, featureCacheBytes: 100 }, async () => {})).rejects.toThrow(
      "createAlignmentStage: featureCacheBytes must be 0 with localTokens, whose features do not come again, got 100",
    );
  });

  it("lowers the reconstruction loss of the same batch", async () => {
    const given = setting();
    // A fresh stage starts at batch 0 again: the same images, noise and timesteps.
    const fresh = () =>
      createAlignmentStage({ ...given.options, source: testSource({ batchSize: 6 }), warmupSteps: 1 });
    const losses: number[] = [];
    for (let i = 0; i < 9; i++) {
      const stage = fresh();
      losses.push((await stage.step()).loss);
      stage.dispose();
    }
    given.dispose();
    expect(losses.at(-1)).toBeLessThan(losses[0]);
  });

  it("gives the same numbers with features kept, kept in part, or not kept", async () => {
    let encoded = 0;
    const run = (featureCacheBytes: number) =>
      align({ featureCacheBytes }, async (stage, { options }) => {
        const { encoder } = options;
        const plain = encoder.encodeImage.bind(encoder);
        encoder.encodeImage = (pixels) => {
          encoded += pixels.shape[0];
          return plain(pixels);
        };
        encoded = 0;
        const records = await take(stage, 4);
        return { records, state: readState(stage.state()), encoded };
      });
    const none = await run(0);
    const some = await run(5 * 12 * 4);
    const all = await run(2 ** 20);
    // 6 images, batches of 3, 4 steps; where 5 fit, image 0 makes room for image 5, and image 3 for image 0.
    expect([none.encoded, some.encoded, all.encoded]).toEqual([12, 8, 6]);
    for (const each of [some, all]) {
      expect(each.records).toEqual(none.records);
      expect(each.state).toEqual(none.state);
    }
  });

  it("goes on from a state as if it had never stopped", async () => {
    await expectNoLeaks(async () => {
      const whole = await align({}, async (stage) => ({
        records: await take(stage, 4),
        state: readState(stage.state()),
      }));
      const half = await align({ source: testSource() }, async (stage) => {
        await take(stage, 2);
        return stage.state();
      });
      const resumed = await align({ source: testSource() }, async (stage) => {
        await stage.restore(half);
        return { records: await take(stage, 2), state: readState(stage.state()) };
      });
      expect(resumed.records).toEqual(whole.records.slice(2));
      expect(resumed.state).toEqual(whole.state);
      tf.dispose(half.tensors);
    });
  });
});

describe("local tokens", () => {
  it("condition the denoiser beside the class token; a share of 0 is the class token only", async () => {
    const run = (localTokens: number | undefined) =>
      align({ localTokens, objective: objectives.dcr() }, async (stage) => {
        const record = await stage.step();
        return { record, moments: flat(gradientMoments(stage.state())) };
      });
    await expectNoLeaks(async () => {
      const [none, zero, half, all] = [await run(undefined), await run(0), await run(0.5), await run(1)];
      expect(zero).toEqual(none);
      expect(new Set([none, half, all].map(({ record }) => record.loss)).size).toBe(3);
    });
  });

  it("with every local token gives the gradient of the same loss written plainly", async () => {
    // The encoder's own tokens of the whole batch, through the projector, differentiated by finite differences of the step's loss.
    const at = (shift: number) =>
      align({ localTokens: 1, learningRate: 0 }, async (stage, { options }) => {
        const { fc1 } = options.projector;
        const values = fc1.bias!.value.dataSync().slice() as Float32Array;
        values[2] += shift;
        fc1.bias!.assign(tf.tensor1d(values));
        const { loss } = await stage.step();
        return { loss, moments: gradientMoments(stage.state()), shapes: options.projector.parameters() };
      });
    const h = 1e-2;
    const [above, below, here] = [await at(h), await at(-h), await at(0)];
    const index = here.shapes.findIndex(({ shape }) => shape.length === 1 && shape[0] === 10);
    const gradient = 10 * here.moments[index][2];
    expectClose([gradient], [(above.loss - below.loss) / (2 * h)], { relative: 2e-2 });
  });
});

describe("options of noise and target", () => {
  const loss = (change: Partial<AlignmentOptions>) =>
    align(change, async (stage) => (await stage.step()).loss);

  it("draws timesteps from the range it is given", async () => {
    const seen: number[] = [];
    const given = setting();
    const { prepare } = given.options.denoiser;
    const denoiser = {
      ...given.options.denoiser,
      prepare: (noisy: tf.Tensor4D, timesteps: Int32Array) => {
        seen.push(...timesteps);
        return prepare(noisy, timesteps);
      },
    };
    const stage = createAlignmentStage({ ...given.options, denoiser, timestepRange: [300, 303] });
    await take(stage, 8);
    expect(new Set(seen)).toEqual(new Set([300, 301, 302]));
    stage.dispose();
    given.dispose();
  });

  it("takes the scheduler's target, or the velocity", async () => {
    const { options, dispose } = setting();
    const { scheduler } = options;
    dispose();
    expect(await loss({ target: "scheduler" })).toBe(await loss({}));
    const velocity = await loss({ target: "velocity" });
    expect(velocity).not.toBe(await loss({}));
    const v = new (scheduler.constructor as typeof import("@dcr-js/diffusion").DDPMScheduler)({
      ...scheduler.config,
      prediction_type: "v_prediction",
    });
    expect(await loss({ scheduler: v })).toBe(velocity);
  });
});
