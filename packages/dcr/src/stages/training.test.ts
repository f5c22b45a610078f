import { supCon } from "@dcr-js/contrastive";
import { createPredictor, DDPMScheduler, type Denoiser, UNet2DConditionModel } from "@dcr-js/diffusion";
import { addLoRA, CLIPImageProcessor, CLIPModel } from "@dcr-js/encoders";
import { gradVac, pcgrad, weightedSum } from "@dcr-js/gradient-conflict";
import { initialize, type Module, Random, type StateDict } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks, uniformArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { featureMethod, jointMethod, type Method, methods } from "../objectives/methods.js";
import { reconstructionLoss } from "../objectives/reconstruction-loss.js";
import { Projector } from "../projector.js";
import { createAlignmentStage } from "./alignment-stage.js";
import { createEnhancementStage, type EnhanceOptions } from "./enhancement-stage.js";
import type { Stage, StepRecord } from "./stage.js";
import { batchIndices, type ImageSource } from "./training-batch.js";

beforeAll(() => initialize({ device: "wasm" }));

const source: ImageSource = {
  length: 6,
  size: 8,
  image: (index) => uniformArray(100 + index, 8 * 8 * 3, 0, 1),
};
const tower = { hidden_size: 16, intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 2 };

/** Small models, equal each time; `dispose` frees them. */
function setting() {
  const random = new Random(11);
  const encoder = new CLIPModel({
    projection_dim: 12,
    vision_config: { ...tower, image_size: 8, patch_size: 4 },
    text_config: { ...tower, vocab_size: 20, max_position_embeddings: 8, eos_token_id: 19 },
  }).initialize(random.fork("encoder"));
  const unet = new UNet2DConditionModel({
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels: [8, 16],
    layers_per_block: 1,
    cross_attention_dim: 10,
    attention_head_dim: 2,
    norm_num_groups: 4,
  }).initialize(random.fork("unet"));
  unet.requiresGrad(false);
  const projector = new Projector(12, 10).initialize(random.fork("projector"));
  const denoiser: Denoiser = {
    unet,
    emptyPrompt: random.fork("prompt").normal([1, 3, 10]) as tf.Tensor3D,
    savings: { chunk: 5, sharedPrefix: true, additive: true },
  };
  const options = {
    source,
    processor: new CLIPImageProcessor(),
    encoder,
    projector,
    denoiser,
    scheduler: new DDPMScheduler({
      beta_schedule: "scaled_linear",
      beta_start: 0.00085,
      beta_end: 0.012,
      num_train_timesteps: 1000,
    }),
    latents: (indices: Int32Array) => {
      const draw = (label: string) =>
        tf.tidy(() =>
          tf.concat(Array.from(indices, (index) => new Random(index).fork(label).normal([1, 4, 4, 4]))),
        ) as tf.Tensor4D;
      return { mean: draw("mean"), logvar: draw("logvar") };
    },
    scalingFactor: 0.5,
    seed: 2,
    batchSize: 3,
    learningRate: 1e-2,
    warmupSteps: 2,
  };
  const dispose = () => {
    for (const module of [encoder, unet, projector]) module.dispose();
    denoiser.emptyPrompt.dispose();
  };
  return { options, dispose };
}

/** Stage 2 on fresh models; frees everything that `use` does not return. */
async function enhance<T>(
  method: Method,
  change: Partial<EnhanceOptions>,
  use: (stage: Stage, setting: EnhanceOptions) => Promise<T>,
): Promise<T> {
  const { options, dispose } = setting();
  const random = new Random(4);
  const lora = addLoRA(options.encoder, {
    rank: 2,
    alpha: 2,
    bias: "lora_only",
    within: "vision_model",
    random,
  });
  const all = { ...options, lora, method, ...change };
  const stage = createEnhancementStage(all);
  try {
    return await use(stage, all);
  } finally {
    stage.dispose();
    dispose();
  }
}

async function take(stage: Stage, steps: number): Promise<StepRecord[]> {
  const records: StepRecord[] = [];
  for (let step = 0; step < steps; step++) records.push(await stage.step());
  return records;
}

/** Reads and frees tensors. */
function read(tensors: StateDict): Record<string, Float32Array> {
  const values = Object.entries(tensors).map(([name, tensor]) => [name, tensor.dataSync() as Float32Array]);
  tf.dispose(tensors);
  return Object.fromEntries(values);
}

const parametersOf = (module: Module) =>
  Object.fromEntries(
    Array.from(module.namedParameters(), ([name, { value }]) => [
      name,
      value.dataSync().slice() as Float32Array,
    ]),
  );

const changed = (before: Record<string, Float32Array>, after: Record<string, Float32Array>) =>
  Object.keys(before).filter((name) => before[name].some((value, i) => value !== after[name][i]));

const gradientMoments = (state: Record<string, Float32Array>) =>
  Object.keys(state)
    .filter((name) => name.startsWith("exp_avg."))
    .map((name) => state[name]);

const flat = (arrays: Float32Array[]) => arrays.flatMap((array) => [...array]);

describe("batchIndices", () => {
  it("covers an epoch without repeats, each in another order", () => {
    const epoch = (number: number) =>
      [0, 1, 2].flatMap((step) => [...batchIndices(5, 12, 4, 3 * number + step)]);
    for (const number of [0, 1]) {
      expect(epoch(number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    }
    expect(epoch(0)).not.toEqual(epoch(1));
    expect(batchIndices(5, 12, 4, 7)).toEqual(batchIndices(5, 12, 4, 7));
    expect(batchIndices(6, 12, 12, 0)).not.toEqual(batchIndices(5, 12, 12, 0));
  });

  it("leaves out what does not fill a batch, in every epoch something else", () => {
    const seen = new Set(Array.from({ length: 40 }, (_, step) => [...batchIndices(0, 7, 3, step)]).flat());
    expect(seen.size).toBe(7);
    expect(new Set([0, 1].flatMap((step) => [...batchIndices(0, 7, 3, step)])).size).toBe(6);
  });

  it.each([0, 13, 1.5, Number.NaN])("refuses a batch of %d of 12", (batchSize) => {
    expect(() => batchIndices(0, 12, batchSize, 0)).toThrow(
      `batchSize must be an integer in 1..12, the number of images, got ${batchSize}`,
    );
  });
});

describe("createEnhancementStage", () => {
  const terms = {
    rec: ["rec"],
    con: ["con"],
    naive: ["con", "rec"],
    dcr: ["dcrAugmented", "dcrTarget"],
  };

  it.each(Object.keys(terms) as (keyof typeof terms)[])(
    "trains the adapters alone with %s, and leaks nothing",
    async (name) => {
      await expectNoLeaks(() =>
        enhance(methods[name], {}, async (stage, { encoder, projector, denoiser, lora }) => {
          const modules = [encoder, projector, denoiser.unet];
          const before = modules.map(parametersOf);
          const trained = new Set(lora.parameters());
          const expected = Array.from(encoder.namedParameters())
            .filter(([, parameter]) => trained.has(parameter))
            .map(([path]) => path);
          const alive = tf.memory().numTensors;
          const records = await take(stage, 2);
          expect(tf.memory().numTensors).toBe(alive);
          const [ofEncoder, ...ofOthers] = modules.map((m, i) => changed(before[i], parametersOf(m)));
          expect(ofOthers).toEqual([[], []]);
          // A moves once B has left zero, so both have after two steps.
          expect(ofEncoder.toSorted()).toEqual(expected.toSorted());
          for (const [step, record] of records.entries()) {
            expect(record.step).toBe(step);
            expect(Object.keys(record.losses)).toEqual(terms[name]);
            expect(record.gradNorm).toBeGreaterThan(0);
            expect(record.conflict?.pairs.length).toBe(terms[name].length > 1 ? 1 : undefined);
            const share = name === "dcr" ? 0.5 : 1;
            const sum = Object.values(record.losses).reduce((total, loss) => total + share * loss, 0);
            expectClose([record.loss], [sum], { relative: 1e-12 });
          }
        }),
      );
    },
  );

  it("gives the same numbers to the last digit for the same seed, and others for another", async () => {
    const run = (change: Partial<EnhanceOptions> = {}) =>
      enhance(methods.dcr, change, async (stage) => ({
        records: await take(stage, 3),
        state: read(stage.state()),
      }));
    const first = await run();
    expect(await run()).toEqual(first);
    expect((await run({ seed: 3 })).records[0].loss).not.toBe(first.records[0].loss);
  });

  it("goes on from a state as if it had never stopped", async () => {
    await expectNoLeaks(async () => {
      const whole = await enhance(methods.naive, {}, async (stage) => ({
        records: await take(stage, 4),
        state: read(stage.state()),
      }));
      const half = await enhance(methods.naive, {}, async (stage) => {
        await take(stage, 2);
        return stage.state();
      });
      const resumed = await enhance(methods.naive, {}, async (stage) => {
        stage.restore(half);
        return { records: await take(stage, 2), state: read(stage.state()) };
      });
      tf.dispose(half);
      expect(resumed.records).toEqual(whole.records.slice(2));
      expect(resumed.state).toEqual(whole.state);
    });
  });

  it("names what a state lacks, and changes nothing then", async () => {
    await enhance(methods.con, {}, async (stage) => {
      await stage.step();
      const before = stage.state();
      await stage.step();
      const now = read(stage.state());
      const { "parameter.1": missing, ...rest } = before;
      expect(() => stage.restore(rest)).toThrow(/"parameter.1" is missing/);
      const other = tf.zeros([1, 1]);
      expect(() => stage.restore({ ...rest, "parameter.1": other })).toThrow(
        /"parameter.1" has shape \[1,1\], expected/,
      );
      expect(read(stage.state())).toEqual(now);
      tf.dispose([before, other, missing]);
    });
  });

  it("sums the terms of naive to the gradient of the joint loss", async () => {
    const joint = featureMethod("joint", (z, augmented, { batch, denoiser, projector, temperature }) => {
      const n = z.shape[0];
      const own = Int32Array.from({ length: n }, (_, i) => i);
      const predicted = createPredictor(denoiser, batch).predict(
        { images: own, conditions: own },
        projector.forward(z),
      );
      const labels = [...own, ...own];
      const contrast = supCon(tf.concat([z, augmented]) as tf.Tensor2D, labels, { temperature });
      return tf.add(
        tf.mul(contrast, 0.25),
        tf.mul(reconstructionLoss(predicted, batch.target), 3),
      ) as tf.Scalar;
    });
    const run = (method: Method) =>
      enhance(method, { maxGradNorm: 1e9 }, async (stage) => {
        const { loss, gradNorm } = await stage.step();
        return { loss, gradNorm, moments: gradientMoments(read(stage.state())) };
      });
    const [apart, together] = [await run(jointMethod({ lambdaCon: 0.25, lambdaRec: 3 })), await run(joint)];
    expectClose([apart.loss, apart.gradNorm], [together.loss, together.gradNorm], { relative: 1e-5 });
    expectCloseNorm(flat(apart.moments), flat(together.moments), { relative: 1e-5 });
  });

  it("averages the batches of a step", async () => {
    // At a learning rate of 0 two steps see what one step of two batches sees; g = 10 m after AdamW's first step.
    const still = { learningRate: 0, maxGradNorm: 1e9 };
    const apart = await enhance(methods.naive, still, async (stage) => {
      const first = await stage.step();
      const m1 = gradientMoments(read(stage.state()));
      const second = await stage.step();
      return { losses: [first.losses, second.losses], m1, m2: gradientMoments(read(stage.state())) };
    });
    const together = await enhance(methods.naive, { ...still, accumulation: 2 }, async (stage) => ({
      record: await stage.step(),
      m: gradientMoments(read(stage.state())),
    }));
    for (const name of ["con", "rec"]) {
      const mean = (apart.losses[0][name] + apart.losses[1][name]) / 2;
      expectClose([together.record.losses[name]], [mean], { relative: 1e-6 });
    }
    const expected = flat(apart.m1).map((m1, i) => (m1 + (flat(apart.m2)[i] - 0.9 * m1)) / 2);
    expectCloseNorm(flat(together.m), expected, { relative: 1e-5 });
  });

  it("clips the gradient to the norm it is given", async () => {
    await enhance(methods.rec, { maxGradNorm: 1e-3 }, async (stage) => {
      const { gradNorm } = await stage.step();
      expect(gradNorm).toBeGreaterThan(1e-3);
      const norm = Math.hypot(...flat(gradientMoments(read(stage.state()))).map((m) => 10 * m));
      expectClose([norm], [1e-3], { relative: 1e-2 });
    });
  });

  it("drops inputs in training, whatever mode an evaluation left the encoder in", async () => {
    const run = (evaluate: boolean) =>
      enhance(methods.con, {}, async (stage, { encoder }) => {
        const records: StepRecord[] = [];
        for (let step = 0; step < 3; step++) {
          records.push(await stage.step());
          if (evaluate) encoder.train(false);
        }
        return records;
      });
    expect(await run(true)).toEqual(await run(false));
  });

  it("takes a loss that uses the images' features alone", async () => {
    const shrink = featureMethod("shrink", (z) => tf.tidy(() => tf.mean(tf.square(z)) as tf.Scalar));
    await expectNoLeaks(() =>
      enhance(shrink, { warmupSteps: 1 }, async (stage) => {
        const records = await take(stage, 6);
        expect(records[5].loss).toBeLessThan(records[0].loss);
      }),
    );
  });

  it("throws on a loss that is no number, before it changes anything", async () => {
    const broken = featureMethod("broken", (z) => tf.tidy(() => tf.mul(tf.sum(z), Number.NaN) as tf.Scalar));
    await expectNoLeaks(() =>
      enhance(broken, {}, async (stage, { encoder }) => {
        const before = parametersOf(encoder);
        await expect(stage.step()).rejects.toThrow(/step 0 gave a loss of NaN/);
        expect(changed(before, parametersOf(encoder))).toEqual([]);
      }),
    );
  });
});

describe("aggregator", () => {
  const still = { learningRate: 0, maxGradNorm: 1e9 };
  /** The gradient of the first step, and what the step says. */
  const first = (method: Method, change: Partial<EnhanceOptions>) =>
    enhance(method, { ...still, ...change }, async (stage) => ({
      record: await stage.step(),
      gradient: flat(gradientMoments(read(stage.state()))).map((m) => 10 * m),
    }));
  const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);

  it("weightedSum, of gradients times their losses' weights, is what a stage does without one", async () => {
    const method = jointMethod({ lambdaCon: 0.25, lambdaRec: 3 });
    const plain = await first(method, { accumulation: 2 });
    const summed = await first(method, { accumulation: 2, aggregator: weightedSum() });
    expectCloseNorm(summed.gradient, plain.gradient, { relative: 1e-6 });
    expect(summed.record.losses).toEqual(plain.record.losses);
    expect(summed.record.conflict).toEqual(plain.record.conflict);
  });

  it("pcgrad steps against neither loss where the sum does", async () => {
    // One loss outweighs the other, and the gradients of this setting conflict.
    const joint = jointMethod({ lambdaCon: 1, lambdaRec: 100 });
    const [con, rec] = [await first(methods.con, {}), await first(methods.rec, {})];
    const sum = await first(joint, {});
    expect(sum.record.conflict?.pairs[0].cosine).toBeLessThan(0);
    expect(dot(sum.gradient, con.gradient)).toBeLessThan(0);
    const projected = await first(joint, { aggregator: pcgrad() });
    for (const { gradient } of [con, rec]) {
      const scale = Math.hypot(...gradient) * Math.hypot(...projected.gradient);
      expect(dot(projected.gradient, gradient) / scale).toBeGreaterThan(-1e-6);
    }
  });

  it("goes on from a state with its memory, and refuses one that it has no use for", async () => {
    await expectNoLeaks(async () => {
      const change = { aggregator: gradVac({ beta: 0.5 }) };
      const whole = await enhance(methods.naive, change, async (stage) => {
        const records = await take(stage, 4);
        return { records, state: read(stage.state()) };
      });
      expect(whole.state["aggregator.memory"].length).toBe(4);
      const half = await enhance(methods.naive, change, async (stage) => {
        await take(stage, 2);
        return stage.state();
      });
      const resumed = await enhance(methods.naive, change, async (stage) => {
        stage.restore(half);
        return { records: await take(stage, 2), state: read(stage.state()) };
      });
      expect(resumed.records).toEqual(whole.records.slice(2));
      expect(resumed.state).toEqual(whole.state);
      await enhance(methods.naive, {}, async (stage) => {
        expect(() => stage.restore(half)).toThrow(/an aggregator's memory, and the stage has no aggregator/);
      });
      tf.dispose(half);
    });
  });

  it("leaves nothing behind when it throws, and lets a gradient that is no number be named", async () => {
    await expectNoLeaks(() =>
      enhance(methods.naive, { aggregator: weightedSum([1]) }, async (stage) => {
        await expect(stage.step()).rejects.toThrow(/expected 2 weights/);
      }),
    );
    const broken = featureMethod("broken", (z) => tf.tidy(() => tf.mul(tf.sum(z), Number.NaN) as tf.Scalar));
    await expectNoLeaks(() =>
      enhance(broken, { aggregator: pcgrad() }, async (stage) => {
        await expect(stage.step()).rejects.toThrow(/step 0 gave a loss of NaN/);
      }),
    );
  });
});

describe("createAlignmentStage", () => {
  it.each(["rec", "dcr"] as const)("trains the projector alone with %s, and leaks nothing", async (loss) => {
    const run = async () => {
      const { options, dispose } = setting();
      const stage = createAlignmentStage({ ...options, loss });
      const { encoder, projector, denoiser } = options;
      const modules = [projector, encoder, denoiser.unet];
      const before = modules.map(parametersOf);
      const records = await take(stage, 3);
      const [ofProjector, ...ofOthers] = modules.map((m, i) => changed(before[i], parametersOf(m)));
      expect(ofOthers).toEqual([[], []]);
      expect(ofProjector).toEqual(Array.from(projector.namedParameters(), ([name]) => name));
      const state = read(stage.state());
      stage.dispose();
      dispose();
      return { records, state };
    };
    await expectNoLeaks(async () => expect(await run()).toEqual(await run()));
  });

  it("lowers the reconstruction loss of the same batch", async () => {
    const { options, dispose } = setting();
    // A fresh stage starts at batch 0 again: the same images, noise and timesteps.
    const fresh = () => createAlignmentStage({ ...options, batchSize: 6, warmupSteps: 1 });
    const first = fresh();
    const losses = [(await first.step()).loss];
    const later = Array.from({ length: 8 }, fresh);
    for (const stage of later) losses.push((await stage.step()).loss);
    for (const stage of [first, ...later]) stage.dispose();
    dispose();
    expect(losses.at(-1)).toBeLessThan(losses[0]);
  });

  it("goes on from a state as if it had never stopped", async () => {
    const run = async (steps: number, from?: StateDict) => {
      const { options, dispose } = setting();
      const stage = createAlignmentStage(options);
      if (from) stage.restore(from);
      const records = await take(stage, steps);
      const state = stage.state();
      stage.dispose();
      dispose();
      return { records, state };
    };
    await expectNoLeaks(async () => {
      const [whole, half] = [await run(4), await run(2)];
      const resumed = await run(2, half.state);
      expect(resumed.records).toEqual(whole.records.slice(2));
      expect(read(resumed.state)).toEqual(read(whole.state));
      tf.dispose(half.state);
    });
  });
});
