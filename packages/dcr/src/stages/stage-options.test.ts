import type { ImageBatch } from "@dcr-js/data";
import { gradDrop } from "@dcr-js/gradient-conflict";
import { initialize, singleProcess } from "@dcr-js/tensor";
import { expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { adapt, enhance, setting, testBatch, testLatents, testSource } from "../../test/setting.js";
import type { Objective } from "../objectives/objective.js";
import { objectives } from "../objectives/objectives.js";
import { recObjective } from "../objectives/rec.js";
import { createAlignmentStage } from "./alignment-stage.js";
import { createEndToEndStage, createEnhancementStage, type EnhancementOptions } from "./enhancement-stage.js";
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

  // The outermost values that are taken, and values just beyond them.
  it.each<[string, unknown[], unknown[]]>([
    ["seed", [0, 2 ** 53 - 1], [-1, 0.5, 2 ** 53]],
    ["learningRate", [0, 1e-9, 10], [-1e-9, Number.POSITIVE_INFINITY, "1"]],
    ["warmupSteps", [0, 1000], [-1, 0.5]],
    ["weightDecay", [0, 1], [-1e-9, Number.NaN]],
    ["maxGradNorm", [1e-9, 1e9], [0, -1, Number.POSITIVE_INFINITY]],
    ["accumulation", [1, 64], [0, 1.5]],
    ["localTokens", [0, 1], [-1e-9, 1 + 1e-9]],
    ["chunk", [0, 1], [-1, 0.5]],
    ["encoderMicroBatch", [0, 1], [-1, 0.5]],
    ["target", ["scheduler", "velocity"], ["epsilon", true]],
    ["schedule", ["constant"], ["linear", false]],
    ["conflict", [true, false], [0, "yes"]],
    ["gradientCheckpointing", [true, false], [1, "no"]],
    [
      "timestepRange",
      [
        [0, 1],
        [999, 1000],
        [0, 1000],
      ],
      [[-1, 5], [1000, 1001], [0, 1001], [5, 5], [5, 4], [0.5, 2], [0, 1.5], [0, 500, 900], [0], 500, "09"],
    ],
    ["totalSteps", [], [1, 100]],
  ])("takes %s only within its bounds", (name, inside, outside) => {
    const { options, dispose } = setting();
    const given = { ...options, objective: recObjective() };
    for (const value of inside)
      expect(checkStageOptions("test", { ...given, [name]: value })).toHaveProperty(name, value);
    for (const value of outside)
      expect(() => checkStageOptions("test", { ...given, [name]: value }), String(value)).toThrow(
        `test: ${name}`,
      );
    dispose();
  });

  it("takes totalSteps with the cosine only, and as few images as a batch, of two at least", () => {
    const { options, dispose } = setting();
    const check = (change: object) =>
      checkStageOptions("test", { ...options, objective: objectives.con(), ...change });
    expect(check({ schedule: "cosine", totalSteps: 1 })).toMatchObject({ totalSteps: 1 });
    for (const totalSteps of [0, 1.5, undefined])
      expect(() => check({ schedule: "cosine", totalSteps })).toThrow("test: totalSteps must be an integer");
    for (const source of [testSource({ batchSize: 2, length: 2 }), testSource({ batchSize: 3, length: 3 })])
      expect(check({ source }).source).toBe(source);
    const endless = { ...testSource({ batchSize: 4 }), length: undefined };
    expect(check({ source: endless }).source).toBe(endless);
    for (const batchSize of [0, 1.5, undefined])
      expect(() => check({ source: { ...testSource(), batchSize } })).toThrow("source.batchSize must be");
    // Two processes with an image each have a negative.
    const one = testSource({ batchSize: 1 });
    expect(() => check({ source: one })).toThrow("a batch of one has no negatives");
    expect(() => check({ source: one, communicator: { ...singleProcess, size: 2 } })).not.toThrow();
    // A loss without negatives takes one image.
    const rec = { ...options, source: one };
    expect(() => checkStageOptions("test", { ...rec, objective: recObjective() })).not.toThrow();
    for (const objective of [objectives.naive(), { ...recObjective(), needsNegatives: undefined }])
      expect(() => checkStageOptions("test", { ...rec, objective })).toThrow("has no negatives");
    dispose();
  });

  it("needs an objective, an aggregator and a communicator that say what a stage asks of them", () => {
    const { options, dispose } = setting();
    const objective = recObjective();
    for (const [change, message] of [
      [{ aggregator: "pcgrad" }, 'aggregator must be an object with weigh(), got "pcgrad"'],
      [
        { aggregator: gradDrop() },
        'aggregator must be one with weigh(); "gradDrop" combines gradients element by element',
      ],
      [{ aggregator: { weigh: () => {} } }, "aggregator.name must be a string, not empty, got undefined"],
      [{ communicator: {} }, "communicator must be an object with allReduce(), got a Object"],
      [
        { communicator: { ...singleProcess, size: 0 } },
        "communicator.size must be an integer, at least 1, got 0",
      ],
      [
        { communicator: { ...singleProcess, rank: 1 } },
        "communicator.rank must be an integer, at least 0 and less than 1, got 1",
      ],
      [{ objective: { ...objective, name: "" } }, "objective.name must be a string, not empty"],
      [
        { objective: { ...objective, usesAugmented: undefined } },
        "objective.usesAugmented must be a boolean, got undefined",
      ],
      [
        { objective: { ...objective, usesPredictions: 1 } },
        "objective.usesPredictions must be a boolean, got 1",
      ],
      [
        { objective: { ...objective, needsNegatives: 0 } },
        "objective.needsNegatives must be a boolean, got 0",
      ],
      [{ objective: { ...objective, remember: [1] } }, "objective must be an object with remember()"],
      [
        { localTokens: 0.5, encoder: Object.assign(Object.create(options.encoder), { tokens: undefined }) },
        "encoder must be an object with tokens()",
      ],
      [
        { scheduler: { addNoise: () => {}, target: () => {} } },
        "scheduler.config.num_train_timesteps must be an integer, at least 1, got undefined",
      ],
      [
        {
          target: "velocity",
          scheduler: Object.assign(Object.create(options.scheduler), { velocity: undefined }),
        },
        "scheduler must be an object with velocity()",
      ],
    ] as [object, string][]) {
      expect(() => checkStageOptions("test", { ...options, objective, ...change })).toThrow(
        `test: ${message}`,
      );
    }
    dispose();
    for (const create of [createAlignmentStage, createEnhancementStage, createEndToEndStage]) {
      for (const nothing of [undefined, null]) {
        expect(() => create(nothing as never)).toThrow(
          `${create.name}: source must be an object with position(), got undefined`,
        );
      }
    }
  });

  it.each(["source", "processor", "encoder", "projector", "denoiser", "scheduler", "latents", "objective"])(
    "needs a %s that does what a stage asks of it",
    (name) => {
      const { options, dispose } = setting();
      const given = { ...options, objective: recObjective() };
      for (const value of [undefined, {}, 3])
        expect(() => checkStageOptions("test", { ...given, [name]: value } as never)).toThrow(
          `test: ${name} must be an object with `,
        );
      dispose();
    },
  );

  it.each<[string, string, string]>([
    ["source", "position", "position()"],
    ["source", "restore", "restore()"],
    ["denoiser", "prepare", "prepare()"],
    ["denoiser", "predict", "predict()"],
    ["scheduler", "addNoise", "addNoise()"],
    ["scheduler", "target", "target()"],
  ])("needs a %s with %s()", (name, method, named) => {
    const { options, dispose } = setting();
    const given = { ...options, objective: recObjective() };
    const part = Object.assign(Object.create(given[name as "source"]), { [method]: undefined });
    expect(() => checkStageOptions("test", { ...given, [name]: part })).toThrow(
      `test: ${name} must be an object with ${named}, got`,
    );
    const deaf = { ...testSource(), [Symbol.asyncIterator]: undefined };
    expect(() => checkStageOptions("test", { ...given, source: deaf as never })).toThrow(
      "test: source must be an object with [Symbol.asyncIterator](), got",
    );
    dispose();
  });

  it("needs parts of sizes that fit together", () => {
    const { options, dispose } = setting();
    const other = (name: "encoder" | "projector" | "denoiser" | "latents", key: string) =>
      checkStageOptions("test", {
        ...options,
        objective: recObjective(),
        [name]: Object.create(options[name], { [key]: { value: 7 } }),
      });
    expect(() => other("encoder", "imageSize")).toThrow("the source's size must be equal, got 7 and 8");
    expect(() => other("encoder", "featureSize")).toThrow("inFeatures must be equal, got 7 and 12");
    expect(() => other("projector", "outFeatures")).toThrow("conditionSize must be equal, got 7 and 10");
    expect(() => other("denoiser", "conditionSize")).toThrow("must be equal, got 10 and 7");
    expect(() => other("latents", "latentChannels")).toThrow("latentChannels must be equal, got 7 and 4");
    dispose();
  });

  it("refuses local tokens where the denoiser takes only one vector", () => {
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
    ["an end that nothing needs", { totalSteps: 3 }, 'totalSteps applies to schedule "cosine" only, got 3'],
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
    [
      "a batch of one",
      { source: testSource({ batchSize: 1 }), objective: objectives.con() },
      "a batch of one has no negatives",
    ],
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

  it.each([
    [null, "got null"],
    [undefined, "got undefined"],
    [3, "got 3"],
    ["images", 'got "images"'],
  ])("is a source of batches: %s is none", async (given, got) => {
    const source = {
      ...testSource(),
      async *[Symbol.asyncIterator]() {
        for (;;) yield given as never;
      },
    };
    await expectNoLeaks(() =>
      enhance(objectives.rec(), { source }, async (stage) => {
        await expect(stage.step()).rejects.toThrow(
          `step 0 was not taken: source: a batch must be an object, ${got}`,
        );
      }),
    );
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
    [
      "a value below 0",
      { augmented: new Float32Array(576).fill(-0.5, 575) },
      'augmented must be in [0, 1], got -0.5 in "image 2"',
    ],
    ["two names", { names: ["a", "b"] }, "names must be an array of 3, got an array of 2"],
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
    // Others' tensors, which a stage may free.
    const made: tf.Tensor[] = [];
    const keep = (shape: number[]) => {
      made.push(tf.keep(tf.zeros(shape)));
      return made.at(-1)!;
    };
    const posterior = (mean: number[], logvar = mean) => ({
      ...testLatents(),
      encode: async () => ({ mean: tf.zeros(mean), logvar: tf.zeros(logvar) }) as never,
    });
    const denoiser = { ...options.denoiser, predict: () => 7 as never };
    const encoder = (features: unknown) =>
      Object.assign(Object.create(options.encoder), { encodeImage: () => features, tokens: () => features });
    for (const [change, message] of [
      [{ source }, "source: ended; a training source must go on epoch after epoch"],
      [{ latents }, "latents: mean must be [3, h, w, 4], got 3"],
      [
        { latents: { ...testLatents(), encode: async () => undefined as never } },
        "latents: mean must be [3, h, w, 4], got undefined",
      ],
      [{ latents: posterior([3, 4, 4, 5]) }, "latents: mean must be [3, h, w, 4], got [3,4,4,5]"],
      [{ latents: posterior([2, 4, 4, 4]) }, "latents: mean must be [3, h, w, 4], got [2,4,4,4]"],
      [{ latents: posterior([3, 4, 4]) }, "latents: mean must be [3, h, w, 4], got [3,4,4]"],
      [
        { latents: posterior([3, 4, 4, 4], [3, 4, 4, 3]) },
        "latents: logvar must be [3, h, w, 4], got [3,4,4,3]",
      ],
      [
        { denoiser: { ...options.denoiser, predict: () => tf.zeros([3, 4, 4, 3]) as never } },
        "denoiser: predictions must be [3,4,4,4], got [3,4,4,3]",
      ],
      [
        {
          encoder: encoder(keep([2, 12])),
          adapters: { parameters: () => options.projector.parameters() },
        },
        "encoder: features must be [3, 12], got [2,12]",
      ],
      [
        {
          encoder: encoder(keep([3, 1, 12])),
          adapters: { parameters: () => options.projector.parameters() },
        },
        "encoder: features must be [3, 12], got [3,1,12]",
      ],
      [
        {
          encoder: encoder(keep([3, 5, 11])),
          localTokens: 1,
          adapters: { parameters: () => options.projector.parameters() },
        },
        "encoder: tokens must be [3, 1 + local tokens, 12], got [3,5,11]",
      ],
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
    tf.dispose(made);
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
      [() => [{ name: "", weight: 1, ...zeros([3, 12]) }], 'a loss\'s name must be a string, got ""'],
      [
        () => [{ name: "a", weight: Number.POSITIVE_INFINITY, ...zeros([3, 12]) }],
        "the weight of a must be a finite number, got Infinity",
      ],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 12]), augmented: tf.zeros([3, 12]) }],
        "the gradient of a at augmented must be left out, got [3,12]",
      ],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 2]) }],
        "objective mine: the gradient of a at features must be [3,12], got [3,2]",
      ],
      [
        () => [1, 2].map(() => ({ name: "a", weight: 1, ...zeros([3, 12]) })),
        "objective mine: two losses have the name a",
      ],
      [() => [3 as never], "objective mine: a loss must be an object, got 3"],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 12]), metrics: { x: tf.zeros([2]) as never } }],
        "objective mine: metric x must be a scalar tensor, got shape [2]",
      ],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 12]), metrics: { x: tf.scalar(1, "int32") } }],
        "objective mine: metric x must be float32, got int32",
      ],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 12]), metrics: 3 as never }],
        "objective mine: the metrics of a must be an object, got 3",
      ],
      [
        () =>
          ["a", "b"].map((name) => ({ name, weight: 1, ...zeros([3, 12]), metrics: { x: tf.scalar(1) } })),
        "objective mine: two metrics have the name x",
      ],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 12]), parts: 3 as never }],
        "objective mine: the parts of a must be an array, got 3",
      ],
      [
        () => [{ name: "a", weight: 1, ...zeros([3, 12]), parts: [{ name: "b", weight: 1 } as never] }],
        "objective mine: the loss must be a scalar tensor, got undefined",
      ],
      [
        () => [
          { name: "a", weight: 1, ...zeros([3, 12]), parts: [{ name: "b", weight: 1, value: tf.scalar(1) }] },
          { name: "b", weight: 1, ...zeros([3, 12]) },
        ],
        "objective mine: two losses have the name b",
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
