import type { ImageBatch } from "@dcr-js/data";
import { initialize, singleProcess } from "@dcr-js/tensor";
import { expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { adapt, enhance, setting, testBatch, testLatents, testSource } from "../../test/setting.js";
import type { Objective } from "../objectives/objective.js";
import { objectives } from "../objectives/objectives.js";
import { recObjective } from "../objectives/rec.js";
import { createEnhancementStage, type EnhancementOptions } from "./enhancement-stage.js";
import { checkStageOptions } from "./stage-options.js";

beforeAll(() => initialize({ device: "wasm" }));

describe("checkStageOptions", () => {
  it("fills in the documented defaults, also for options that are undefined", () => {
    const { options, dispose } = setting();
    const { chunk, warmupSteps, ...bare } = options;
    const defaults = {
      warmupSteps: 10,
      schedule: "constant",
      weightDecay: 0.01,
      maxGradNorm: 1,
      accumulation: 1,
      conflict: false,
      target: "scheduler",
      timestepRange: [0, 1000],
      localTokens: 0,
      chunk: 16,
      encoderMicroBatch: 8,
      gradientCheckpointing: false,
      communicator: singleProcess,
    };
    const objective = recObjective();
    expect(checkStageOptions("test", { ...bare, objective })).toEqual({ ...bare, objective, ...defaults });
    const absent = Object.fromEntries(Object.keys(defaults).map((name) => [name, undefined]));
    expect(checkStageOptions("test", { ...bare, objective, ...absent })).toEqual({
      ...bare,
      objective,
      ...defaults,
    });
    dispose();
  });

  it("refuses local tokens where the denoiser takes one vector alone", () => {
    const { options, dispose } = setting();
    const { denoiser } = options;
    const alone = { ...denoiser, capabilities: { ...denoiser.capabilities, tokenConditions: false } };
    const given = { ...options, denoiser: alone, objective: recObjective() };
    expect(() => checkStageOptions("test", { ...given, localTokens: 0.25 })).toThrow(
      "test: localTokens must be 0 for this denoiser, whose capabilities.tokenConditions is false, got 0.25",
    );
    expect(() => checkStageOptions("test", given)).not.toThrow();
    dispose();
  });
});

describe("what a stage is given", () => {
  const create = (change: Partial<EnhancementOptions>) => {
    const { options, dispose } = setting();
    const adapters = adapt(options.encoder);
    try {
      createEnhancementStage({ ...options, adapters, objective: objectives.rec(), ...change }).dispose();
    } finally {
      dispose();
    }
  };
  const batchOf = (change: object) =>
    ({
      ...testSource(),
      async *[Symbol.asyncIterator]() {
        for (;;) yield { ...testBatch([0, 1, 2]), ...change } as ImageBatch;
      },
    }) as EnhancementOptions["source"];

  it.each<[string, object, string]>([
    ["an unknown option", { batchSize: 3 }, 'unknown option "batchSize"'],
    ["a missing part", { denoiser: undefined }, "denoiser must be an object with prepare(), got undefined"],
    ["a list for a source", { source: [] }, "source must be an object with position(), got an array of 0"],
    ["a seed", { seed: -1 }, "seed must be an integer, at least 0, got -1"],
    ["a rate", { learningRate: Number.NaN }, "learningRate must be a finite number, at least 0, got NaN"],
    [
      "no rate",
      { learningRate: undefined },
      "learningRate must be a finite number, at least 0, got undefined",
    ],
    [
      "a schedule that ends nowhere",
      { schedule: "cosine" },
      "totalSteps must be an integer, at least 1, got undefined",
    ],
    ["an end that nothing needs", { totalSteps: 3 }, 'totalSteps is of schedule "cosine" alone, got 3'],
    ["warm-up", { warmupSteps: 1.5 }, "warmupSteps must be an integer, at least 0, got 1.5"],
    ["decay", { weightDecay: -1 }, "weightDecay must be a finite number, at least 0, got -1"],
    ["a norm", { maxGradNorm: 0 }, "maxGradNorm must be a finite number, greater than 0, got 0"],
    ["accumulation", { accumulation: 0 }, "accumulation must be an integer, at least 1, got 0"],
    [
      "a share of tokens",
      { localTokens: 2 },
      "localTokens must be a finite number, at least 0 and at most 1, got 2",
    ],
    ["a chunk", { chunk: -1 }, "chunk must be an integer, at least 0, got -1"],
    [
      "a micro-batch",
      { encoderMicroBatch: 0.5 },
      "encoderMicroBatch must be an integer, at least 0, got 0.5",
    ],
    ["a target", { target: "noise" }, 'target must be one of scheduler, velocity, got "noise"'],
    ["a range", { timestepRange: [10, 10] }, "timestepRange[1] must be an integer, greater than 10"],
    [
      "a long range",
      { timestepRange: [0, 1001] },
      "timestepRange[1] must be an integer, greater than 0 and at most 1000, got 1001",
    ],
    ["conflict", { conflict: 1 }, "conflict must be a boolean, got 1"],
    ["an objective", { objective: "dcr" }, 'objective must be an object with terms(), got "dcr"'],
    ["adapters", { adapters: {} }, "adapters must be a LoRA or { parameters() }, got a Object"],
    ["no adapters", { adapters: { parameters: () => [] } }, "adapters have no parameters to train"],
    ["a batch of one", { source: testSource({ batchSize: 1 }) }, "a batch of one has no negatives"],
    ["little data", { source: testSource({ length: 2 }) }, "source has 2 images, fewer than its batch of 3"],
    [
      "other images",
      { source: { ...testSource(), size: 16 } },
      "imageSize and the source's size must be equal, got 8 and 16",
    ],
    ["other latents", { latents: { ...testLatents(), latentChannels: 16 } }, "must be equal, got 16 and 4"],
  ])("is checked before anything is trained: %s", async (_, change, message) => {
    await expectNoLeaks(() => {
      expect(() => create(change as never)).toThrow(`createEnhancementStage: `);
      expect(() => create(change as never)).toThrow(message);
    });
  });

  it.each<[string, object, string]>([
    [
      "a promise of images",
      { images: Promise.resolve(new Float32Array(3)) },
      "images must be a Float32Array, got a Promise",
    ],
    [
      "images of another size",
      { images: new Float32Array(5) },
      "images must hold 3 x 8 x 8 x 3 = 576 values, got 5",
    ],
    [
      "NaN",
      { augmented: new Float32Array(576).fill(Number.NaN) },
      'augmented must be in [0, 1], got NaN in "image 0"',
    ],
    ["bytes", { images: new Float32Array(576).fill(255) }, 'images must be in [0, 1], got 255 in "image 0"'],
    ["no names", { names: undefined }, "names must be an array of 3, got undefined"],
    ["another size", { size: 9 }, "size must be the source's, 8, got 9"],
  ])("is checked in each batch: %s", async (_, change, message) => {
    await expectNoLeaks(() =>
      enhance(objectives.rec(), { source: batchOf(change) }, async (stage) => {
        await expect(stage.step()).rejects.toThrow(`step 0 was not taken: source: a batch's ${message}`);
      }),
    );
  });

  it("is a source without end, and an encoder, latents and a denoiser that give what they should", async () => {
    const source = { ...testSource(), async *[Symbol.asyncIterator]() {} };
    const latents = { ...testLatents(), encode: async () => ({ mean: 3, logvar: 3 }) as never };
    const { options, dispose } = setting();
    const denoiser = { ...options.denoiser, predict: () => 7 as never };
    const encoder = (features: unknown) =>
      Object.assign(Object.create(options.encoder), { encodeImage: () => features, tokens: () => features });
    for (const [change, message] of [
      [{ source }, "source: ended; a training source must go on epoch after epoch"],
      [{ latents }, "latents: mean must be [3, h, w, 4], got 3"],
      [
        {
          encoder: encoder(Promise.resolve(3)),
          adapters: { parameters: () => options.projector.parameters() },
        },
        "encoder: features must be [3, 12], got a Promise",
      ],
      [
        {
          encoder: encoder(4),
          localTokens: 1,
          adapters: { parameters: () => options.projector.parameters() },
        },
        "encoder: tokens must be [3, 1 + local tokens, 12], got 4",
      ],
      [{ denoiser }, "denoiser: predictions must be [3,4,4,4], got 7"],
    ] as [Partial<EnhancementOptions>, string][]) {
      await expectNoLeaks(() =>
        enhance(objectives.rec(), change, async (stage) => {
          await expect(stage.step()).rejects.toThrow(`step 0 was not taken: ${message}`);
        }),
      );
    }
    dispose();
  });

  it("is an objective whose terms are whole, with gradients of the shapes of its inputs", async () => {
    const zeros = (shape: [number, number]) => ({ value: tf.scalar(0), features: tf.zeros(shape) });
    const made = (terms: Objective["terms"]): Objective => ({
      name: "mine",
      usesAugmented: false,
      usesPredictions: false,
      terms,
    });
    for (const [terms, message] of [
      [() => [], "objective mine: terms must return an array of one loss or more, got an array of 0"],
      [() => ({}) as never, "objective mine: terms must return an array of one loss or more, got a Object"],
      [
        () => [{ weight: 1, ...zeros([3, 12]) } as never],
        "objective mine: a loss's name must be a string, got undefined",
      ],
      [
        () => [{ name: "a", ...zeros([3, 12]) } as never],
        "objective mine: the weight of a must be a finite number, got undefined",
      ],
      [
        () => [{ name: "a", weight: 1, value: tf.zeros([2]) as never }],
        "objective mine: the loss must be a scalar tensor, got shape [2]",
      ],
      [() => [{ name: "a", weight: 1, value: tf.scalar(0) }], "objective mine: a has no gradient"],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 12]), conditions: tf.zeros([3, 10]) }],
        "objective mine: the gradient of a at conditions must be left out, got [3,10]",
      ],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 2]) }],
        "objective mine: the gradient of a at features must be [3,12], got [3,2]",
      ],
      [
        () => [1, 2].map(() => ({ name: "a", weight: 1, ...zeros([3, 12]) })),
        "objective mine: two losses have the name a",
      ],
    ] as [Objective["terms"], string][]) {
      await expectNoLeaks(() =>
        enhance(made(terms), {}, async (stage) => {
          await expect(stage.step()).rejects.toThrow(message);
        }),
      );
    }
  });

  it("is used by one step at a time, and not after its end", async () => {
    await enhance(objectives.con(), {}, async (stage) => {
      const running = stage.step();
      await expect(stage.step()).rejects.toThrow("step: the stage is busy with step; await that first");
      await running;
      stage.dispose();
      await expect(stage.step()).rejects.toThrow("step: the stage is disposed");
    });
  });
});
