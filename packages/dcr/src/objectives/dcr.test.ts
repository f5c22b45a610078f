import {
  createUNetDenoiser,
  type Denoiser,
  type DenoiserOptions,
  UNet2DConditionModel,
} from "@dcr-js/diffusion";
import { initialize, Random } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DCRObjectiveOptions, dcrObjective } from "./dcr.js";
import type { DCRPositive, DCRPredictions } from "./dcr-inputs.js";
import { dcrLoss } from "./dcr-loss.js";
import type { Objective, ObjectiveInput, ObjectiveTerm } from "./objective.js";
import { predictionObjective } from "./prediction-objective.js";
import { recObjective } from "./rec.js";

const n = 3;
let unet: UNet2DConditionModel;
let emptyPrompt: tf.Tensor3D;
let noisy: tf.Tensor4D;
let target: tf.Tensor4D;
let conditions: tf.Tensor2D;
let augmented: tf.Tensor2D;
const timesteps = Int32Array.of(20, 400, 950);

beforeAll(async () => {
  await initialize({ device: "wasm" });
  const random = new Random(5);
  unet = new UNet2DConditionModel({
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels: [8, 16],
    layers_per_block: 1,
    cross_attention_dim: 12,
    attention_head_dim: 2,
    norm_num_groups: 4,
  }).initialize(random);
  emptyPrompt = random.normal([1, 5, 12]) as tf.Tensor3D;
  noisy = random.normal([n, 8, 8, 4]) as tf.Tensor4D;
  target = random.normal([n, 8, 8, 4]) as tf.Tensor4D;
  conditions = random.normal([n, 12]) as tf.Tensor2D;
  augmented = random.normal([n, 12]) as tf.Tensor2D;
});
afterAll(() => {
  unet.dispose();
  tf.dispose([emptyPrompt, noisy, target, conditions, augmented]);
});

interface Ways extends DenoiserOptions {
  chunk?: number;
}

/** Runs an objective on the test's batch, as the trainer does; no saving is on unless it is asked for. */
function run(objective: Objective, ways: Ways = {}, change: Partial<ObjectiveInput> = {}): ObjectiveTerm[] {
  const { chunk = 0, ...options } = ways;
  const denoiser: Denoiser = createUNetDenoiser(unet, tf.clone(emptyPrompt), {
    sharedPrefix: false,
    additive: false,
    ...options,
  });
  const prepared = denoiser.prepare(noisy, timesteps);
  const features = tf.zeros([n, 2]) as tf.Tensor2D;
  const predictor = {
    conditions,
    augmentedConditions: augmented,
    target,
    offset: 0,
    chunk,
    predict: (rows: Int32Array, e: tf.Tensor) => denoiser.predict(prepared, rows, e),
  };
  const input = { features, augmented: features, predictor, processes: 1, apart: false, ...change };
  const terms = tf.tidy(() => objective.terms(input) as never) as ObjectiveTerm[];
  prepared.dispose();
  denoiser.dispose();
  features.dispose();
  return terms;
}

/** The loss with every graph held at once and no saving, differentiated by tfjs, with some predictions held constant. */
function plain(
  lossOf: (inputs: DCRPredictions) => tf.Tensor = (inputs) => dcrLoss(inputs),
  constant: { negatives?: boolean; augmented?: boolean } = {},
) {
  const predict = (image: number, h: tf.Tensor) =>
    unet.forward(tf.slice(noisy, image, 1), tf.tensor1d([timesteps[image]], "int32"), {
      encoderHiddenStates: tf.add(emptyPrompt, tf.expandDims(h, 1)) as tf.Tensor3D,
    });
  // Differentiated at copies, so that the tensors themselves are constants.
  const copies = [tf.clone(conditions), tf.clone(augmented)];
  const result = tf.valueAndGrads((h: tf.Tensor, a: tf.Tensor) => {
    const of = (source: tf.Tensor, k: number, held?: boolean) =>
      tf.slice(held ? (source === h ? conditions : augmented) : source, k, 1);
    const rows = Array.from({ length: n }, (_, i) =>
      tf.concat(Array.from({ length: n }, (_, k) => predict(i, of(h, k, constant.negatives && i !== k)))),
    );
    const views = tf.concat(Array.from({ length: n }, (_, i) => predict(i, of(a, i, constant.augmented))));
    const nothing = tf.mul(tf.sum(a), 0);
    return tf.add(lossOf({ predictions: tf.stack(rows), augmented: views, target }), nothing) as tf.Scalar;
  })(copies);
  tf.dispose(copies);
  return result;
}

const disposeTerms = (terms: ObjectiveTerm[]) => tf.dispose(terms as unknown as tf.TensorContainer);

describe("dcrObjective", () => {
  it.each<[string, Ways]>([
    ["no saving", {}],
    ["chunks of one", { chunk: 1 }],
    ["chunks of five", { chunk: 5 }],
    ["a shared prefix", { sharedPrefix: true }],
    ["additive conditioning", { additive: true }],
    ["all savings", { chunk: 4, sharedPrefix: true, additive: true }],
  ])("with %s agrees with the plain path", async (_, ways) => {
    await expectNoLeaks(() => {
      const expected = plain();
      const [term, ...others] = run(dcrObjective(), ways);
      expect(others).toEqual([]);
      expect(term.parts?.map(({ name, weight }) => [name, weight])).toEqual([
        ["dcrAugmented", 0.5],
        ["dcrTarget", 0.5],
      ]);
      expectClose(term.value, expected.value, { relative: 1e-5 });
      expectCloseNorm(term.conditions!, expected.grads[0], { relative: 1e-5 });
      expectCloseNorm(term.augmentedConditions!, expected.grads[1], { relative: 1e-5 });
      tf.dispose([expected.value, expected.grads]);
      disposeTerms([term]);
    });
  });

  it.each([0, 5])("apart, each loss is that positive's own, in chunks of %i", async (chunk) => {
    await expectNoLeaks(() => {
      const terms = run(dcrObjective(), { chunk }, { apart: true });
      expect(terms.map(({ name }) => name)).toEqual(["dcrAugmented", "dcrTarget"]);
      for (const [i, positive] of (["augmented", "target"] as const).entries()) {
        const expected = plain((inputs) => dcrLoss(inputs, { towards: [positive] }));
        expectClose(terms[i].value, expected.value, { relative: 1e-5 });
        expectCloseNorm(terms[i].conditions!, expected.grads[0], { relative: 1e-5 });
        expectCloseNorm(terms[i].augmentedConditions!, expected.grads[1], { relative: 1e-5 });
        tf.dispose([expected.value, expected.grads]);
      }
      disposeTerms(terms);
    });
  });

  it.each<[NonNullable<DCRObjectiveOptions["gradient"]>, Parameters<typeof plain>[1]]>([
    ["anchor", { negatives: true, augmented: true }],
    ["anchor-and-positive", { negatives: true }],
  ])("with gradient %s holds the other predictions constant", async (gradient, constant) => {
    const positives: readonly DCRPositive[][] = [["augmented", "target"], ["augmented"], ["target"]];
    await expectNoLeaks(() => {
      for (const own of positives) {
        const expected = plain((inputs) => dcrLoss(inputs, { positives: own }), constant);
        for (const chunk of [0, 4]) {
          const [term] = run(dcrObjective({ gradient, positives: own }), { chunk });
          expectClose(term.value, expected.value, { relative: 1e-5 });
          expectCloseNorm(term.conditions!, expected.grads[0], { relative: 1e-5 });
          if (term.augmentedConditions) {
            expectCloseNorm(term.augmentedConditions, expected.grads[1], { relative: 1e-5, absolute: 1e-12 });
          } else expect(own).toEqual(["target"]);
          disposeTerms([term]);
        }
        tf.dispose([expected.value, expected.grads]);
      }
    });
  });

  it("reports the mean similarities of the anchors", async () => {
    await expectNoLeaks(() => {
      const cosine = (a: tf.Tensor, b: tf.Tensor) =>
        tf.tidy(() => {
          const dot = tf.sum(tf.mul(a, b)).dataSync()[0];
          return dot / Math.sqrt(tf.sum(tf.square(a)).dataSync()[0] * tf.sum(tf.square(b)).dataSync()[0]);
        });
      const means = { negatives: 0, spread: 0, candidates: 0 };
      const towards: Record<"augmented" | "target", number[]> = { augmented: [], target: [] };
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      const deviation = (values: number[]) =>
        Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
      const expected = plain(({ predictions, augmented: views, target: truth }) => {
        const at = (i: number, k: number) => tf.slice(predictions, [i, k], [1, 1]);
        for (let i = 0; i < n; i++) {
          towards.augmented.push(cosine(at(i, i), tf.slice(views!, i, 1)));
          towards.target.push(cosine(at(i, i), tf.slice(truth!, i, 1)));
          const others = [0, 1, 2].filter((k) => k !== i).map((k) => cosine(at(i, i), at(i, k)));
          means.negatives += mean(others) / n;
          means.spread += deviation(others) / n;
          means.candidates += deviation([...others, towards.augmented[i], towards.target[i]]) / n;
        }
        return tf.sum(predictions);
      });
      const [term] = run(dcrObjective());
      const shown = Object.entries(term.metrics!).map(([name, value]) => [name, value.dataSync()[0]]);
      expect(shown.map(([name]) => name)).toEqual([
        "similarity/augmented",
        "similarity/augmentedSpread",
        "similarity/target",
        "similarity/targetSpread",
        "similarity/negatives",
        "similarity/negativesSpread",
        "similarity/candidatesSpread",
      ]);
      expectClose(
        shown.map(([, value]) => value as number),
        [
          ...[towards.augmented, towards.target].flatMap((values) => [mean(values), deviation(values)]),
          ...[means.negatives, means.spread, means.candidates],
        ],
        { absolute: 1e-5 },
      );
      disposeTerms([term]);
      tf.dispose([expected.value, expected.grads]);
    });
  });

  it.each([0, 4])("measures temperature auto, and holds it constant, in chunks of %i", async (chunk) => {
    await expectNoLeaks(() => {
      const auto = dcrObjective({ temperature: "auto" });
      const figure = ({ metrics }: ObjectiveTerm, name: string) => metrics![name].dataSync()[0];
      const check = (memory: number[] | undefined, temperatureOf: (spread: number) => number) => {
        const [term] = run(auto, { chunk }, memory && { memory });
        const spread = figure(term, "similarity/candidatesSpread");
        const temperature = figure(term, "temperature");
        expectClose([temperature], [temperatureOf(spread)], { relative: 1e-6 });
        const [fixed] = run(dcrObjective({ temperature }), { chunk });
        expectClose(term.value, fixed.value, { relative: 1e-6 });
        expectCloseNorm(term.conditions!, fixed.conditions!, { relative: 1e-6 });
        expectCloseNorm(term.augmentedConditions!, fixed.augmentedConditions!, { relative: 1e-6 });
        disposeTerms([term, fixed]);
        return spread;
      };
      const spread = check(undefined, (own) => own);
      // Of the steps so far, this one among them; of the first ten steps when they are over.
      check([1, 0.5], (own) => (0.5 + own) / 2);
      check([10, 0.5], () => 0.05);
      const metrics = { "similarity/candidatesSpread": spread };
      expect(auto.remember!(metrics)).toEqual([1, spread]);
      expect(auto.remember!(metrics, [9, 0.5])).toEqual([10, 0.5 + spread]);
      expect(auto.remember!(metrics, [10, 0.5])).toEqual([10, 0.5]);
      expect(dcrObjective().remember).toBeUndefined();
    });
  });

  it("does not measure a temperature over several processes", () => {
    const auto = dcrObjective({ temperature: "auto" });
    expect(() => tf.tidy(() => run(auto, {}, { processes: 2 }) as never)).toThrow(
      'objective dcr: temperature "auto" is measured in a single process, got 2',
    );
  });

  it("refuses options that it does not know or that make no sense", () => {
    expect(() => dcrObjective({ tau: 0.1 } as never)).toThrow('dcrObjective: unknown option "tau"');
    expect(() => dcrObjective({ temperature: 0 })).toThrow(
      "dcrObjective: temperature must be a finite number",
    );
    expect(() => dcrObjective({ temperature: "warm" as never })).toThrow(
      "dcrObjective: temperature must be one of auto",
    );
    expect(() => dcrObjective({ positives: [] })).toThrow(
      "dcrObjective: positives must be a list of one or more of",
    );
    expect(() => dcrObjective({ gradient: "none" as never })).toThrow(
      "dcrObjective: gradient must be one of all",
    );
    expect(() => dcrObjective({ temperature: undefined })).not.toThrow();
  });
});

describe("recObjective", () => {
  it.each<[string, Ways]>([
    ["chunks of two", { chunk: 2 }],
    ["all savings", { chunk: 2, sharedPrefix: true, additive: true }],
  ])("is the same with %s as without", async (_, ways) => {
    await expectNoLeaks(() => {
      const [[a], [b]] = [run(recObjective()), run(recObjective(), ways)];
      expectClose(a.value, b.value, { relative: 1e-5 });
      expectCloseNorm(a.conditions!, b.conditions!, { relative: 1e-5 });
      disposeTerms([a, b]);
    });
  });
});

describe("predictionObjective", () => {
  it.each([0, 4])("makes an objective of a loss on predictions, in chunks of %i", async (chunk) => {
    const rec = predictionObjective("mine", ({ predictions, target: truth }) =>
      tf.mean(tf.square(tf.sub(predictions, truth))),
    );
    const dcr = predictionObjective("mine", (given) => dcrLoss(given), { pairs: "all", usesAugmented: true });
    await expectNoLeaks(() => {
      for (const [mine, expected] of [
        [rec, recObjective()],
        [dcr, dcrObjective()],
      ]) {
        const [[a], [b]] = [run(mine, { chunk }), run(expected)];
        expectClose(a.value, b.value, { relative: 1e-5 });
        expectCloseNorm(a.conditions!, b.conditions!, { relative: 1e-5 });
        if (b.augmentedConditions) {
          expectCloseNorm(a.augmentedConditions!, b.augmentedConditions, { relative: 1e-5 });
        }
        disposeTerms([a, b]);
      }
    });
  });

  it("refuses a loss that is not a scalar, by the objective's name", () => {
    for (const [loss, got] of [
      [() => tf.ones([2]), "got shape [2]"],
      [async () => tf.scalar(1), "got a Promise"],
      [() => 3, "got 3"],
    ] as const) {
      const mine = predictionObjective("mine", loss as never);
      expect(() => tf.tidy(() => run(mine) as never)).toThrow(
        `objective mine: the loss must be a scalar tensor, ${got}`,
      );
    }
    expect(() => predictionObjective("mine", () => tf.scalar(0), { pairs: "some" as never })).toThrow(
      "predictionObjective: pairs must be one of own, all",
    );
  });
});
