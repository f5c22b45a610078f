import { initialize } from "@dcr-js/tensor";
import { normalArray } from "@dcr-js/testing";
import { describeOptions } from "@dcr-js/testing/options";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ConObjectiveOptions, conObjective } from "./con.js";
import { type DCRObjectiveOptions, dcrObjective } from "./dcr.js";
import { type DCRGradientOptions, dcrLossGradients } from "./dcr-loss-gradients.js";
import { type FeatureObjectiveOptions, featureObjective } from "./feature-objective.js";
import { type JointObjectiveOptions, jointObjective } from "./naive.js";
import type { Objective, Predictor } from "./objective.js";
import { type PredictionObjectiveOptions, predictionObjective } from "./prediction-objective.js";
import { recObjective } from "./rec.js";
import { sumObjective } from "./sum-objective.js";

const [n, dim] = [3, 8];
let [predictions, augmented, target]: tf.Tensor[] = [];
let [features, others]: tf.Tensor2D[] = [];
beforeAll(async () => {
  await initialize({ device: "cpu" });
  predictions = tf.tensor3d(normalArray(1, n * n * dim), [n, n, dim]);
  [augmented, target, features, others] = [2, 3, 4, 5].map((seed) =>
    tf.tensor2d(normalArray(seed, n * dim), [n, dim]),
  );
});
afterAll(() => tf.dispose([predictions, augmented, target, features, others]));
const alone = { processes: 1, apart: false };
/** A denoiser that mixes the numbers of a condition, so that predictions under different ones differ. */
const predictor = (): Predictor => {
  const conditions = tf.slice(features, [0, 0], [n, 4]);
  const mix = tf.tensor2d(normalArray(6, 16), [4, 4]);
  return {
    conditions,
    augmentedConditions: tf.slice(others, [0, 0], [n, 4]),
    target: tf.reshape(tf.slice(target as tf.Tensor2D, [0, 0], [n, 4]), [n, 2, 2, 1]),
    offset: 0,
    chunk: 0,
    predict: (images, given) =>
      tf.add(
        tf.reshape(tf.tanh(tf.matMul(given as tf.Tensor2D, mix)), [-1, 2, 2, 1]),
        tf.reshape(tf.cast(tf.tensor1d(images, "int32"), "float32"), [-1, 1, 1, 1]),
      ) as tf.Tensor4D,
  };
};
const inputs = () => ({ predictions, augmented, target });

const temperature = { default: 0.1, other: 0.5, range: { above: 0 } };
const positives = {
  default: ["augmented", "target"] as const,
  other: ["target"] as const,
  refused: [[], ["view"], "target", ["target", "target"]],
};
const reduction = { default: "mean" as const, other: "sum" as const, refused: ["most"] };

const flat = (x: object) => {
  const tensors = Object.values(x).flatMap((part) => (part instanceof tf.Tensor ? [part] : []));
  const values = tensors.flatMap((each) => [...each.dataSync(), -1]);
  tf.dispose(x as tf.TensorContainer);
  return values;
};
describeOptions("dcrLossGradients", {
  run: (o: DCRGradientOptions) => flat(dcrLossGradients(inputs(), o)),
  options: {
    temperature,
    positives,
    reduction: { ...reduction, refused: ["none", "most"] },
    towards: { default: ["augmented", "target"], other: ["augmented"], refused: [["view"], "target"] },
  },
});
describeOptions("conObjective", {
  run: (o: ConObjectiveOptions) =>
    tf.tidy(() => {
      const [{ value }] = conObjective(o).terms({ features, augmented: others, processes: 1, apart: false });
      return value.dataSync();
    }),
  options: { temperature },
});
describeOptions("featureObjective", {
  run: (o: FeatureObjectiveOptions) => {
    const { usesAugmented, needsNegatives } = featureObjective("mine", (z) => tf.sum(z), o);
    return [usesAugmented, needsNegatives].map(Number);
  },
  options: {
    usesAugmented: { default: true, other: false },
    needsNegatives: { default: true, other: false },
  },
});
describeOptions("predictionObjective", {
  run: (o: PredictionObjectiveOptions) => {
    const made = predictionObjective("mine", ({ predictions }) => tf.sum(predictions), o);
    const { usesAugmented, needsNegatives, terms } = made;
    return tf.tidy(() => {
      const [{ value }] = terms({ features, augmented: others, predictor: predictor(), ...alone });
      return [Number(usesAugmented), Number(needsNegatives), ...value.dataSync()];
    });
  },
  options: {
    pairs: { default: "own", other: "all", refused: ["some"] },
    usesAugmented: { default: false, other: true, refused: [1] },
    needsNegatives: { default: false, other: true, refused: [1] },
  },
});
describeOptions("dcrObjective", {
  run: (o: DCRObjectiveOptions) =>
    tf.tidy(() => {
      const terms = dcrObjective(o).terms({ features, augmented: others, predictor: predictor(), ...alone });
      return terms.flatMap(({ value, conditions }) => [...value.dataSync(), ...conditions!.dataSync()]);
    }),
  options: {
    temperature: { ...temperature, refused: ["warm"] },
    positives,
    gradient: { default: "all", other: "anchor", refused: ["none"] },
  },
});
const goalOf = (conditions: tf.Tensor) => tf.ones([conditions.shape[0], 2, 2, 1]) as tf.Tensor4D;
describeOptions("jointObjective", {
  run: (o: JointObjectiveOptions) =>
    tf.tidy(() => {
      const conditions = tf.zeros([n, 4]);
      const predictor = {
        conditions,
        target: goalOf(conditions),
        offset: 0,
        chunk: 0,
        predict: (_images: Int32Array, given: tf.Tensor) =>
          tf.add(tf.mul(goalOf(given), 2), tf.reshape(tf.sum(given, 1), [-1, 1, 1, 1])),
      };
      const terms = jointObjective(o).terms({
        features,
        augmented: others,
        predictor: predictor as never,
        processes: 1,
        apart: true,
      });
      return terms.flatMap(({ weight, value }) => [weight, ...value.dataSync()]);
    }),
  options: {
    lambdaCon: { default: 1, other: 2, range: { min: 0 } },
    lambdaRec: { default: 1, other: 2, range: { min: 0 } },
    temperature,
  },
});

it("a loss on pairs of images needs others, unless it says that it does not", () => {
  const needs = (o: PredictionObjectiveOptions) =>
    predictionObjective("mine", ({ predictions }) => tf.sum(predictions), o).needsNegatives;
  expect([needs({ pairs: "all" }), needs({ pairs: "all", needsNegatives: false })]).toEqual([true, false]);
});

it("names what no objective and no loss is made of", () => {
  const plain = featureObjective("plain", (z) => tf.sum(z));
  const refused: [() => unknown, string][] = [
    // A misspelt `anchors` would be the default ones.
    [
      () => dcrLossGradients({ ...inputs(), anchor: [0] } as never),
      'dcrLossGradients: inputs: unknown option "anchor"',
    ],
    [
      () => featureObjective(undefined as never, undefined as never),
      "featureObjective: name must be a string",
    ],
    [
      () => featureObjective("x", undefined as never),
      "featureObjective: loss must be a function, got undefined",
    ],
    [() => predictionObjective("", () => target), "predictionObjective: name must be a string, not empty"],
    [() => predictionObjective("x", "y" as never), 'predictionObjective: loss must be a function, got "y"'],
    [() => recObjective({ temperature: 3 } as never), 'recObjective: unknown option "temperature"'],
    [() => sumObjective("", [{ objective: plain, weight: 1 }]), "sumObjective: name must be a string"],
    [
      () => sumObjective("x", undefined as never),
      "sumObjective: members must be a list of { objective, weight }",
    ],
    [
      () => sumObjective("x", [{ objective: plain, weight: 1, foo: 2 } as never]),
      'sumObjective: members[0]: unknown option "foo"',
    ],
    [
      () => sumObjective("x", [{ weight: 1 } as never]),
      "sumObjective: members[0].objective.terms must be a function, got undefined",
    ],
  ];
  for (const [make, message] of refused) expect(make).toThrow(message);
});

it("sums ask for what one of their members asks for, and need one", () => {
  const plain = featureObjective("plain", (z) => tf.sum(z), { usesAugmented: false });
  const views = featureObjective("views", (z) => tf.sum(z));
  const predicts = predictionObjective("predicts", () => tf.scalar(0));
  const needs = (...objectives: Objective[]) =>
    sumObjective(
      "sum",
      objectives.map((objective) => ({ objective, weight: 1 })),
    ).needsNegatives;
  expect([needs(recObjective()), needs(recObjective(), plain)]).toEqual([false, true]);
  const asks = (...objectives: (typeof plain)[]) => {
    const { usesAugmented, usesPredictions, name } = sumObjective(
      "sum",
      objectives.map((objective) => ({ objective, weight: 1 })),
    );
    return { usesAugmented, usesPredictions, name };
  };
  expect(asks(plain)).toEqual({ usesAugmented: false, usesPredictions: false, name: "sum" });
  expect(asks(plain, views)).toEqual({ usesAugmented: true, usesPredictions: false, name: "sum" });
  expect(asks(plain, predicts)).toEqual({ usesAugmented: false, usesPredictions: true, name: "sum" });
  expect(() => sumObjective("none", [])).toThrow("sumObjective: none needs one objective or more, got none");
  for (const weight of [Number.NaN, Number.POSITIVE_INFINITY, "1"]) {
    expect(() => sumObjective("x", [{ objective: plain, weight: weight as never }])).toThrow(
      "weight of plain",
    );
  }
  // An instance of a class, whose method reads its own fields.
  const remembering = {
    ...plain,
    decay: 0.5,
    remember(metrics: Readonly<Record<string, number>>, [before]: readonly number[] = [0]) {
      return [this.decay * before + metrics["x"]];
    },
  };
  const { remember } = sumObjective("one", [{ objective: remembering, weight: 1 }]);
  expect([remember!({ x: 3 }), remember!({ x: 3 }, [4])]).toEqual([[3], [5]]);
  expect(sumObjective("no", [{ objective: plain, weight: 1 }])).not.toHaveProperty("remember");
  const two = [remembering, remembering].map((objective) => ({ objective, weight: 1 }));
  expect(() => sumObjective("two", two)).toThrow(
    "sumObjective: two: at most one member may have remember(), got plain and plain",
  );
});
