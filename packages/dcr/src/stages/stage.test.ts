import type { ImageBatch } from "@dcr-js/data";
import { gradVac, pcgrad, weightedSum } from "@dcr-js/gradient-conflict";
import { type Communicator, initialize } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import {
  adapt,
  enhance,
  flat,
  gradientMoments,
  readState,
  setting,
  take,
  testBatch,
  testLatents,
  testSource,
} from "../../test/setting.js";
import { featureObjective } from "../objectives/feature-objective.js";
import { jointObjective } from "../objectives/joint.js";
import type { Objective } from "../objectives/objective.js";
import { objectives } from "../objectives/objectives.js";
import { createEnhancementStage, type EnhancementOptions } from "./enhancement-stage.js";
import type { StageState } from "./stage-state.js";

beforeAll(() => initialize({ device: "wasm" }));

describe("a stage's state", () => {
  it("goes on as if it had never stopped, also as JSON", async () => {
    await expectNoLeaks(async () => {
      const change = { conflict: true };
      const whole = await enhance(objectives.naive(), change, async (stage) => ({
        records: await take(stage, 4),
        state: readState(stage.state()),
      }));
      const half = await enhance(objectives.naive(), { ...change, source: testSource() }, async (stage) => {
        await take(stage, 2);
        return stage.state();
      });
      half.progress = JSON.parse(JSON.stringify(half.progress));
      const resumed = await enhance(
        objectives.naive(),
        { ...change, source: testSource() },
        async (stage) => {
          await stage.restore(half);
          return { records: await take(stage, 2), state: readState(stage.state()) };
        },
      );
      tf.dispose(half.tensors);
      expect(resumed.records).toEqual(whole.records.slice(2));
      expect(resumed.state).toEqual(whole.state);
    });
  });

  it("goes on within a stage that ran on", async () => {
    await enhance(objectives.rec(), {}, async (stage) => {
      await take(stage, 1);
      const after = stage.state();
      const first = await take(stage, 2);
      await stage.restore(after);
      expect(await take(stage, 2)).toEqual(first);
      tf.dispose(after.tensors);
    });
  });

  it("is refused with the part that is wrong, and changes nothing then", async () => {
    await expectNoLeaks(() =>
      enhance(objectives.con(), {}, async (stage, { source }) => {
        await stage.step();
        const good = stage.state();
        await stage.step();
        const now = readState(stage.state());
        const [other, ints, broken, zero] = [
          tf.zeros([1, 1]),
          tf.zeros(good.tensors["parameter.1"].shape, "int32"),
          tf.fill(good.tensors["exp_avg.0"].shape, Number.NaN),
          tf.scalar(7, "int32"),
        ];
        const { "parameter.1": missing, ...rest } = good.tensors;
        const tensors = (change: object) =>
          ({ ...good, tensors: { ...good.tensors, ...change } }) as StageState;
        const progress = (change: object) =>
          ({ ...good, progress: { ...good.progress, ...change } }) as StageState;
        for (const [state, message] of [
          [{ ...good, tensors: rest }, '"parameter.1" is missing'],
          [tensors({ "parameter.1": other }), '"parameter.1" has shape [1,1], expected'],
          [tensors({ "parameter.1": ints }), '"parameter.1" must be float32, got int32'],
          [tensors({ "exp_avg.0": broken }), '"exp_avg.0" holds values that are not finite'],
          [tensors({ extra: other }), 'unexpected tensor "extra"'],
          [tensors({ step: zero }), "the tensors are of step 7, the rest of the state of step 1"],
          [progress({ format: 2 }), "the state's format must be 1, got 2"],
          [progress({ stage: "alignment" }), 'expected the state of stage enhancement, got "alignment"'],
          [progress({ step: -1 }), "step must be an integer, at least 0, got -1"],
          [progress({ source: 3 }), "source must be a source's position, got 3"],
          [progress({ aggregatorMemory: [1] }), "an aggregator's memory, and the stage has no aggregator"],
          [undefined as never, "a state must be { tensors, progress }, got undefined"],
        ] as [StageState, string][]) {
          await expect(stage.restore(state)).rejects.toThrow(message);
        }
        const { restore } = source;
        source.restore = () => {
          throw new Error("another data set");
        };
        await expect(stage.restore(good)).rejects.toThrow("another data set");
        source.restore = restore;
        expect(readState(stage.state())).toEqual(now);
        tf.dispose([good.tensors, other, ints, broken, zero, missing] as tf.TensorContainer);
      }),
    );
  });

  it("is that before a step which was not taken", async () => {
    let calls = 0;
    const sometimes = featureObjective("sometimes", (z) => tf.mul(tf.sum(z), ++calls === 2 ? Number.NaN : 1));
    await enhance(sometimes, {}, async (stage) => {
      await stage.step();
      const before = readState(stage.state());
      await expect(stage.step()).rejects.toThrow("step 1 was not taken: loss sometimes is NaN");
      expect(readState(stage.state())).toEqual(before);
    });
  });
});

describe("aggregator", () => {
  const still = { learningRate: 0, maxGradNorm: 1e9 };
  /** The gradient of the first step, and its record. */
  const first = (objective: Objective, change: Partial<EnhancementOptions>) =>
    enhance(objective, { ...still, ...change }, async (stage) => ({
      record: await stage.step(),
      gradient: flat(gradientMoments(stage.state())).map((m) => 10 * m),
    }));
  const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);

  it("weightedSum, of gradients times their losses' weights, is the same as none", async () => {
    const objective = jointObjective({ lambdaCon: 0.25, lambdaRec: 3 });
    const plain = await first(objective, { accumulation: 2, conflict: true });
    const summed = await first(objective, { accumulation: 2, aggregator: weightedSum() });
    expectCloseNorm(summed.gradient, plain.gradient, { relative: 1e-6 });
    expect(summed.record.losses).toEqual(plain.record.losses);
    expect(summed.record.conflict).toEqual(plain.record.conflict);
  });

  it("pcgrad steps against neither loss where the sum does", async () => {
    // One loss outweighs the other, and the gradients of this setting conflict.
    const joint = jointObjective({ lambdaCon: 1, lambdaRec: 1e4 });
    const [con, rec] = [await first(objectives.con(), {}), await first(objectives.rec(), {})];
    const sum = await first(joint, { conflict: true });
    expect(sum.record.conflict?.pairs[0].cosine).toBeLessThan(0);
    expect(dot(sum.gradient, con.gradient)).toBeLessThan(0);
    const projected = await first(joint, { aggregator: pcgrad() });
    for (const { gradient } of [con, rec]) {
      const scale = Math.hypot(...gradient) * Math.hypot(...projected.gradient);
      expect(dot(projected.gradient, gradient) / scale).toBeGreaterThan(-1e-6);
    }
  });

  it("goes on from a state with its memory", async () => {
    await expectNoLeaks(async () => {
      const change = () => ({ aggregator: gradVac({ beta: 0.5 }), source: testSource() });
      const whole = await enhance(objectives.naive(), change(), async (stage) => ({
        records: await take(stage, 4),
        state: readState(stage.state()),
      }));
      expect(whole.state.progress.aggregatorMemory?.length).toBe(4);
      const half = await enhance(objectives.naive(), change(), async (stage) => {
        await take(stage, 2);
        return stage.state();
      });
      const resumed = await enhance(objectives.naive(), change(), async (stage) => {
        await stage.restore(half);
        return { records: await take(stage, 2), state: readState(stage.state()) };
      });
      expect(resumed.records).toEqual(whole.records.slice(2));
      expect(resumed.state).toEqual(whole.state);
      tf.dispose(half.tensors);
    });
  });

  it("leaves nothing behind when it throws, and names the loss whose gradient is not finite", async () => {
    await expectNoLeaks(() =>
      enhance(objectives.naive(), { aggregator: weightedSum([1]) }, async (stage) => {
        await expect(stage.step()).rejects.toThrow(/expected 2 weights/);
      }),
    );
    // sqrt has no slope at 0.
    const steep = featureObjective("steep", (z) => tf.sum(tf.sqrt(tf.sub(z, z))));
    await expectNoLeaks(() =>
      enhance(steep, { aggregator: pcgrad() }, async (stage) => {
        await expect(stage.step()).rejects.toThrow(
          "step 0 was not taken: the gradient of loss steep is not finite",
        );
      }),
    );
    await expectNoLeaks(() =>
      enhance(steep, {}, async (stage) => {
        await expect(stage.step()).rejects.toThrow(
          "step 0 was not taken: the gradient of steep has norm NaN",
        );
      }),
    );
  });
});

/** As many communicators in one process as ranks; each collective waits until all ranks have called it. */
function communicators(size: number): Communicator[] {
  let calls: { tensors: tf.Tensor[]; resolve: (all: tf.Tensor[][]) => void }[] = [];
  const meet = (rank: number, tensors: tf.Tensor[]) =>
    new Promise<tf.Tensor[][]>((resolve) => {
      calls[rank] = { tensors, resolve };
      if (Object.keys(calls).length < size) return;
      const met = calls;
      calls = [];
      for (const call of met) call.resolve(met.map((each) => each.tensors));
    });
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    allReduce: async (tensors) => {
      const all = await meet(rank, tensors);
      // The inputs are the ranks' until every rank has its sums.
      const sums = tensors.map((_, i) => tf.addN(all.map((each) => each[i])));
      await meet(rank, []);
      return sums;
    },
    allGather: async (tensor) => {
      const all = await meet(rank, [tensor]);
      const gathered = tf.concat(all.map(([each]) => each));
      await meet(rank, []);
      return gathered;
    },
    barrier: async () => {
      await meet(rank, []);
    },
  }));
}

describe("data parallel", () => {
  it.each(["rec", "con", "naive", "dcr"] as const)(
    "equals one process with the whole batch, with %s",
    async (name) => {
      const common = { maxGradNorm: 1e9, dropout: 0, conflict: true };
      const run = (change: Partial<EnhancementOptions>) =>
        enhance(objectives[name](), { ...common, ...change }, async (stage) => {
          const record = await stage.step();
          const moments = flat(gradientMoments(stage.state()));
          await stage.step();
          return { record, moments, state: readState(stage.state()) };
        });
      await expectNoLeaks(async () => {
        const whole = await run({ source: testSource({ batchSize: 4 }) });
        const parts = await Promise.all(
          communicators(2).map((communicator) =>
            run({
              communicator,
              source: testSource({ batchSize: 2, rank: communicator.rank, processes: 2 }),
            }),
          ),
        );
        expect(parts[0].record).toEqual(parts[1].record);
        expect(parts[0].state.tensors).toEqual(parts[1].state.tensors);
        const [{ record, moments }] = parts;
        for (const [loss, value] of Object.entries(whole.record.losses)) {
          expectClose([record.losses[loss]], [value], { relative: 1e-5 });
        }
        for (const [metric, value] of Object.entries(whole.record.metrics)) {
          expectClose([record.metrics[metric]], [value], { absolute: 1e-5 });
        }
        expectClose([record.loss, record.gradNorm], [whole.record.loss, whole.record.gradNorm], {
          relative: 1e-5,
        });
        expectCloseNorm(moments, whole.moments, { relative: 1e-5 });
      });
    },
  );
});

describe("a stage's memory options", () => {
  it.each(["naive", "dcr"] as const)(
    "give the same step in any micro-batches and chunks, with checkpoints or without, with %s",
    async (name) => {
      const run = (change: Partial<EnhancementOptions>) =>
        enhance(objectives[name](), { maxGradNorm: 1e9, dropout: 0, ...change }, async (stage) => ({
          record: await stage.step(),
          moments: flat(gradientMoments(stage.state())),
        }));
      const plain = await run({ encoderMicroBatch: 0, chunk: 0 });
      for (const change of [
        { encoderMicroBatch: 1 },
        { encoderMicroBatch: 4 },
        { chunk: 1 },
        { chunk: 7 },
        { gradientCheckpointing: true },
        { encoderMicroBatch: 2, chunk: 3, gradientCheckpointing: true },
      ]) {
        const { record, moments } = await run({ encoderMicroBatch: 0, chunk: 0, ...change });
        expectClose([record.loss], [plain.record.loss], { relative: 1e-5 });
        expectCloseNorm(moments, plain.moments, { relative: 1e-5 });
      }
    },
  );
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
    ["a missing part", { denoiser: undefined }, "denoiser is required, got undefined"],
    ["a seed", { seed: -1 }, "seed must be an integer, at least 0, got -1"],
    ["a rate", { learningRate: Number.NaN }, "learningRate must be a finite number, at least 0, got NaN"],
    [
      "no rate",
      { learningRate: undefined },
      "learningRate must be a finite number, at least 0, got undefined",
    ],
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
    ["conflict", { conflict: 1 }, "conflict must be true or false, got 1"],
    [
      "an objective",
      { objective: "dcr" },
      'objective must be an Objective, such as dcrObjective(), got "dcr"',
    ],
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

  it("is a source without end, a latent encoder of its shape and a denoiser of its shape", async () => {
    const source = { ...testSource(), async *[Symbol.asyncIterator]() {} };
    const latents = { ...testLatents(), encode: async () => ({ mean: 3, logvar: 3 }) as never };
    const { options, dispose } = setting();
    const denoiser = { ...options.denoiser, predict: () => 7 as never };
    for (const [change, message] of [
      [{ source }, "source: ended; a training source must go on epoch after epoch"],
      [{ latents }, "latents: mean must be [3, h, w, 4], got 3"],
      [{ denoiser }, "denoiser: predictions must be [3,4,4,4], got 7"],
    ] as const) {
      await expectNoLeaks(() =>
        enhance(objectives.rec(), change, async (stage) => {
          await expect(stage.step()).rejects.toThrow(`step 0 was not taken: ${message}`);
        }),
      );
    }
    dispose();
  });

  it("is an objective whose gradients have the shapes of its inputs, and whose losses have names of their own", async () => {
    const zeros = (shape: number[]) => ({ value: tf.scalar(0), features: tf.zeros(shape) as tf.Tensor2D });
    const made = (terms: Objective["terms"]): Objective => ({
      name: "mine",
      usesAugmented: false,
      usesPredictions: false,
      terms,
    });
    for (const [terms, message] of [
      [() => [], "objective mine: terms must return an array of one loss or more"],
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
