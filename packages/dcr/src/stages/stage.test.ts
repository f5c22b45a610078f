import {
  type Aggregator,
  type AggregatorContext,
  gradVac,
  pcgrad,
  weightedSum,
} from "@dcr-js/gradient-conflict";
import { initialize, singleProcess } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks, uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { enhance, flat, gradientMoments, readState, take, testSource } from "../../test/setting.js";
import { featureObjective } from "../objectives/feature-objective.js";
import { jointObjective } from "../objectives/naive.js";
import type { Objective } from "../objectives/objective.js";
import { objectives } from "../objectives/objectives.js";
import { predictionObjective } from "../objectives/prediction-objective.js";
import { sumObjective } from "../objectives/sum-objective.js";
import { createEndToEndStage, type EnhancementOptions } from "./enhancement-stage.js";
import type { StepRecord } from "./stage.js";
import type { StageState } from "./stage-state.js";

beforeAll(() => initialize({ device: "wasm" }));

describe("the learning rate", () => {
  it("is constant after the warm-up, or half a cosine that ends after the last step", async () => {
    const rates = (change: object) =>
      enhance(objectives.con(), { warmupSteps: 2, learningRate: 0.1, ...change }, async (stage) =>
        (await take(stage, 4)).map(({ learningRate }) => learningRate),
      );
    expectClose(await rates({}), [0.05, 0.1, 0.1, 0.1]);
    // (1 + cos(pi k / 3)) / 2 for k = 0, 1, 2.
    expectClose(await rates({ schedule: "cosine", totalSteps: 4 }), [0.05, 0.1, 0.075, 0.025], {
      relative: 1e-12,
    });
  });
});

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

  it("keeps what the objective remembers", async () => {
    const temperatures = (records: StepRecord[]) => records.map(({ metrics }) => metrics["temperature"]);
    const auto = () => objectives.dcr({ temperature: "auto" });
    const whole = await enhance(auto(), {}, async (stage) => {
      const records = await take(stage, 12);
      expect(stage.state().progress.objectiveMemory?.[0]).toBe(10);
      return records;
    });
    const measured = temperatures(whole);
    expect(new Set(measured.slice(0, 10)).size).toBe(10);
    expect(new Set(measured.slice(10)).size).toBe(1);
    const half = await enhance(auto(), {}, async (stage) => {
      await take(stage, 4);
      return stage.state();
    });
    const resumed = await enhance(auto(), {}, async (stage) => {
      await stage.restore(half);
      return take(stage, 8);
    });
    expect(resumed).toEqual(whole.slice(4));
    await enhance(objectives.dcr(), {}, (stage) =>
      expect(stage.restore(half)).rejects.toThrow(
        "restore: the state holds an objective's memory, and the stage has no objective that remembers",
      ),
    );
    // Its steps so far are not known without their memory.
    const { objectiveMemory, ...progress } = half.progress;
    await enhance(auto(), {}, (stage) =>
      expect(stage.restore({ ...half, progress })).rejects.toThrow(
        "restore: objectiveMemory must be an array of finite numbers, got undefined",
      ),
    );
    tf.dispose(half.tensors);
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
        const float = tf.scalar(1);
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
          [tensors({ step: ints }), '"step" has shape ['],
          [tensors({ step: float }), '"step" must be int32, got float32'],
          [tensors({ "exp_avg_sq.0": undefined }), '"exp_avg_sq.0" is missing'],
          [progress({ format: 1 }), "the state's format must be 2, got 1"],
          [progress({ format: "2" }), 'the state\'s format must be 2, got "2"'],
          [progress({ seed: 3 }), "expected the state of seed 2, got 3"],
          [progress({ seed: undefined }), "expected the state of seed 2, got undefined"],
          [progress({ accumulation: 2 }), "expected the state of accumulation 1, got 2"],
          [progress({ objective: "dcr" }), 'expected the state of objective con, got "dcr"'],
          [
            progress({ aggregator: "pcgrad" }),
            'expected the state of a stage without aggregator, got "pcgrad"',
          ],
          [progress({ stage: undefined }), "expected the state of stage enhancement, got undefined"],
          [progress({ step: 0.5 }), "step must be an integer, at least 0, got 0.5"],
          [progress({ step: 2 ** 53 }), "step must be an integer, at least 0, got 9007199254740992"],
          [progress({ step: "1" }), 'step must be an integer, at least 0, got "1"'],
          [progress({ source: null }), "source must be a source's position, got null"],
          [progress({ objectiveMemory: [1] }), "the stage has no objective that remembers"],
          [null as never, "a state must be { tensors, progress }, got null"],
          [3 as never, "a state must be { tensors, progress }, got 3"],
          [{ ...good, tensors: null } as never, "a state must be { tensors, progress }"],
          [{ ...good, tensors: 3 } as never, "a state must be { tensors, progress }"],
          [{ ...good, progress: null } as never, "a state must be { tensors, progress }"],
          [{ ...good, progress: "1" } as never, "a state must be { tensors, progress }"],
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
        tf.dispose([good.tensors, other, ints, broken, zero, float, missing] as tf.TensorContainer);
      }),
    );
  });

  it("is that before a step in which the objective, the aggregator or the source fails", async () => {
    const plain = featureObjective("plain", (z) => tf.mean(tf.square(z)));
    const nan = { ...plain, remember: () => [Number.NaN] };
    const none = { ...plain, remember: () => undefined as never };
    const broken: Objective = {
      ...plain,
      remember: () => {
        throw new Error("no memory");
      },
    };
    const forgetful: Aggregator = {
      name: "forgetful",
      weigh: (gram) => ({ ...weightedSum().weigh(gram), memory: [Number.NaN] }),
    };
    const two = sumObjective("two", [
      { objective: plain, weight: 1 },
      { objective: featureObjective("other", (z) => tf.sum(z)), weight: 1 },
    ]);
    // A user's code may throw any value, not only an Error.
    const throwing = (thrown: unknown): Objective => ({
      ...plain,
      terms: () => {
        throw thrown;
      },
    });
    const [textual, silent] = [throwing("bad shape"), throwing(undefined)];
    const { position, ...rest } = testSource();
    const lost = (() => {
      let calls = 0;
      return { ...rest, position: () => (calls++ === 0 ? position() : (undefined as never)) };
    })();
    const mustBe = "must be an array of finite numbers, got";
    for (const [objective, change, message] of [
      [nan, {}, `objective plain: memory ${mustBe} NaN`],
      [none, {}, `objective plain: memory ${mustBe} undefined`],
      [broken, {}, "no memory"],
      [two, { aggregator: forgetful }, `aggregator forgetful: memory ${mustBe} NaN`],
      [
        plain,
        { aggregator: weightedSum() },
        "aggregator weightedSum needs two losses or more, got plain alone, whose gradient some aggregators would scale; leave it out",
      ],
      [textual, {}, "bad shape"],
      [silent, {}, "undefined"],
      [plain, { source: lost }, "source: position() must be a source's position, got undefined"],
    ] as [Objective, Partial<EnhancementOptions>, string][]) {
      await expectNoLeaks(() =>
        enhance(objective, change, async (stage) => {
          const before = readState(stage.state());
          await expect(stage.step()).rejects.toThrow(`step 0 was not taken: ${message}`);
          expect(readState(stage.state())).toEqual(before);
        }),
      );
    }
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
    expect(summed.record.weights).toEqual({ con: 1, rec: 1 });
    expect(plain.record).not.toHaveProperty("weights");
    const silent = await first(objective, { conflict: false, aggregator: weightedSum([0.5, 2]) });
    expect(silent.record).not.toHaveProperty("conflict");
    expect(silent.record.weights).toEqual({ con: 0.5, rec: 2 });
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

  it("is given the losses' names and their values, each times its weight", async () => {
    let seen: AggregatorContext = {};
    const aggregator: Aggregator = {
      name: "seen",
      weigh: (gram, context = {}) => {
        seen = context;
        return weightedSum().weigh(gram);
      },
    };
    const objective = jointObjective({ lambdaCon: 0.25, lambdaRec: 3 });
    const { record } = await first(objective, { accumulation: 2, aggregator });
    const { con, rec } = record.losses;
    expect(seen.names).toEqual(["con", "rec"]);
    expectClose(seen.losses!, [0.25 * con, 3 * rec], { relative: 1e-6 });
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

  it("must return a finite number for each loss", async () => {
    const odd = (weigh: () => unknown): Aggregator => ({ name: "odd", weigh: weigh as Aggregator["weigh"] });
    const what = "step 0 was not taken: aggregator odd: ";
    for (const [weigh, message] of [
      [() => [1, 1], "weigh must return { weights } of 2 numbers, got an array of 2"],
      [async () => ({ weights: [1, 1] }), "weigh must return { weights } of 2 numbers, got a Promise"],
      [() => ({ weights: [1] }), "weigh must return { weights } of 2 numbers, got 1 weights"],
      [() => ({ weights: [1, Number.NaN] }), "weights[1] must be a finite number, got NaN"],
    ] as [() => unknown, string][]) {
      await expectNoLeaks(() =>
        enhance(objectives.naive(), { aggregator: odd(weigh) }, async (stage) => {
          await expect(stage.step()).rejects.toThrow(what + message);
        }),
      );
    }
  });

  it("must have a memory from the first step on, or never", async () => {
    const odd = (memories: (number[] | undefined)[]): Aggregator => ({
      name: "odd",
      weigh: (gram) => ({ ...weightedSum().weigh(gram), memory: memories.shift() }),
    });
    for (const [memories, what] of [
      [[[1], undefined], "step 1 was given one and returned none"],
      [[undefined, [1]], "step 1 was given none and returned one"],
    ] as [(number[] | undefined)[], string][]) {
      await expectNoLeaks(() =>
        enhance(objectives.naive(), { aggregator: odd(memories) }, async (stage) => {
          await stage.step();
          await expect(stage.step()).rejects.toThrow(
            `step 1 was not taken: aggregator odd: memory must be there from the first step on, or never; ${what}`,
          );
        }),
      );
    }
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

describe("a step that throws", () => {
  /** The loss `call` times, then something that is none. */
  const sometimes = (call: number) => {
    let calls = 0;
    return ({ predictions }: { predictions: tf.Tensor }) =>
      ++calls === call ? tf.square(predictions) : (tf.mean(tf.square(predictions)) as tf.Tensor);
  };
  /** Throws in its nth call. */
  const failing = <F extends (...args: never[]) => unknown>(f: F, call: number): F => {
    let calls = 0;
    return ((...args: never[]) => {
      if (++calls === call) throw new Error("out of memory");
      return f(...args);
    }) as F;
  };

  it.each<[string, Objective]>([
    ["a loss on predictions", predictionObjective("mine", sometimes(1))],
    ["a loss on features", featureObjective("mine", (z) => tf.square(z))],
  ])("frees the graph of %s that is no scalar", async (_, objective) => {
    await expectNoLeaks(() =>
      enhance(objective, {}, (stage) =>
        expect(stage.step()).rejects.toThrow("objective mine: the loss must be a scalar tensor, got shape ["),
      ),
    );
  });

  it("frees the graphs of the batches before it", async () => {
    await expectNoLeaks(() =>
      enhance(predictionObjective("mine", sometimes(2)), { accumulation: 2 }, (stage) =>
        expect(stage.step()).rejects.toThrow("the loss must be a scalar tensor"),
      ),
    );
  });

  // 12 predictions, 5 at a time: chunks without a graph, one with, then those without again; more where the losses are apart.
  it.each([1, 2, 3, 4, 5, 6])("frees what DCR keeps where call %i of the denoiser fails", async (call) => {
    for (const conflict of [false, true]) {
      await expectNoLeaks(() =>
        enhance(
          sumObjective("both", [
            { objective: objectives.dcr(), weight: 1 },
            { objective: objectives.rec(), weight: 1 },
          ]),
          { conflict },
          async (stage, { denoiser }) => {
            denoiser.predict = failing(denoiser.predict, call);
            await expect(stage.step()).rejects.toThrow("step 0 was not taken: out of memory");
          },
        ),
      );
    }
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "frees what was made before call %i of the encoder fails",
    async (call) => {
      const change = { encoderMicroBatch: 2, accumulation: 2 };
      await expectNoLeaks(() =>
        enhance(
          objectives.rec(),
          change,
          async (stage, { encoder }) => {
            encoder.encodeImage = failing(encoder.encodeImage.bind(encoder), call);
            await expect(stage.step()).rejects.toThrow("step 0 was not taken: out of memory");
          },
          createEndToEndStage,
        ),
      );
    },
  );

  it.each([1, 2, 3, 4, 5])("frees what was made before call %i of the projector fails", async (call) => {
    await expectNoLeaks(() =>
      enhance(
        objectives.dcr(),
        {},
        async (stage, { projector }) => {
          projector.forward = failing(projector.forward.bind(projector), call);
          await expect(stage.step()).rejects.toThrow("step 0 was not taken: out of memory");
        },
        createEndToEndStage,
      ),
    );
  });

  it("frees what was made before a rank is lost", async () => {
    for (const method of ["allReduce", "allGather"] as const) {
      for (const call of [1, 2, 3]) {
        const two = {
          ...singleProcess,
          size: 2,
          allGather: async (x: tf.Tensor) => tf.concat([x, x]),
        };
        const communicator = { ...two, [method]: failing(two[method] as never, call) };
        await expectNoLeaks(() =>
          enhance(objectives.con(), { communicator }, async (stage) => {
            const step = stage.step();
            // Features of images and views are gathered, and nothing else.
            if (method === "allGather" && call === 3) await step;
            else await expect(step).rejects.toThrow("step 0 was not taken: out of memory");
          }),
        );
      }
    }
  });
});

describe("gradientCheckpointing", () => {
  it("is the models' own where the option is not given", async () => {
    for (const [given, expected] of [
      [undefined, true],
      [true, true],
      [false, false],
    ]) {
      await enhance(objectives.rec(), { gradientCheckpointing: given }, async (stage, { encoder, unet }) => {
        encoder.enableGradientCheckpointing(true);
        unet.enableGradientCheckpointing(true);
        await stage.step();
        expect([encoder.gradientCheckpointing, unet.gradientCheckpointing]).toEqual([expected, expected]);
      });
    }
  });
});

describe("dropout", () => {
  it("drops the same inputs in every pass of a step: gradients are those of the reported loss", async () => {
    // The slope of the loss along the gradient, by losses of steps that start a little before and behind.
    const at = (shift: number, direction?: number[]) =>
      enhance(
        jointObjective(),
        { learningRate: 0, maxGradNorm: 1e9, dropout: 0.5, encoderMicroBatch: 2 },
        async (stage, { lora }) => {
          let place = 0;
          for (const [i, parameter] of lora.parameters().entries()) {
            // B starts at zero, where dropout makes no difference.
            const start = tf.tidy(() =>
              tf.add(
                parameter.value,
                tf.tensor(uniformArray(i, parameter.value.size, -0.3, 0.3), parameter.shape),
              ),
            );
            const values = (start.dataSync() as Float32Array).map(
              (x) => x + shift * (direction?.[place++] ?? 0),
            );
            const moved = tf.tensor(values, parameter.shape);
            parameter.assign(moved);
            tf.dispose([start, moved]);
          }
          const { loss } = await stage.step();
          return { loss, gradient: flat(gradientMoments(stage.state())).map((m) => 10 * m) };
        },
      );
    await expectNoLeaks(async () => {
      const { gradient } = await at(0);
      const norm = Math.hypot(...gradient);
      const direction = gradient.map((x) => x / norm);
      const h = 5e-3;
      const [above, below] = [await at(h, direction), await at(-h, direction)];
      expectClose([(above.loss - below.loss) / (2 * h)], [norm], { relative: 1e-2 });
    });
  });
});
