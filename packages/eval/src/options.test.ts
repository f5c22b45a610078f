import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import { describeOptions } from "@dcr-js/testing/options";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll } from "vitest";
import "./shared/register-gradients.js";
import { fitKMeans, type KMeansOptions } from "./clustering/k-means.js";
import { type VMeasureOptions, vMeasure } from "./clustering/v-measure.js";
import type { TieOptions } from "./features/tie-tolerance.js";
import {
  type NearestNeighbourOptions,
  nearestNeighbourAccuracy,
} from "./neighbours/nearest-neighbour-accuracy.js";
import {
  type NearestNeighbourPredictionOptions,
  nearestNeighbourPredictions,
} from "./neighbours/nearest-neighbour-predictions.js";
import { type NearestNeighboursOptions, nearestNeighbours } from "./neighbours/nearest-neighbours.js";
import { type CaptionChoiceOptions, captionChoice } from "./pairs/caption-choice.js";
import { type ImageImageOptions, imageImagePairs, textImagePairs } from "./pairs/detail-pairs.js";
import { winogroundScores } from "./pairs/winoground.js";
import { type LinearProbeOptions, linearProbe } from "./probe/linear-probe.js";
import { type LogisticRegressionOptions, logisticRegression } from "./probe/logistic-regression.js";
import { projectTSNE, projectUMAP, type TSNEOptions, type UMAPOptions } from "./report/project.js";
import { recallAtK } from "./retrieval/recall-at-k.js";
import {
  type ImageTextOptions,
  imageTextRetrieval,
  type RetrievalOptions,
  retrievalScores,
} from "./retrieval/retrieval-scores.js";
import { zeroShotAccuracy, zeroShotScores } from "./retrieval/zero-shot-accuracy.js";
import { type ZeroShotOptions, zeroShotClassifier } from "./retrieval/zero-shot-classifier.js";
import { type BootstrapOptions, bootstrapInterval, pairedBootstrap } from "./statistics/bootstrap.js";
import { wilsonInterval } from "./statistics/wilson-interval.js";

const [n, dim] = [40, 3];
const labels = Array.from({ length: n }, (_, i) => i % 4);
const x = tf.tensor2d(normalArray(1, n * dim), [n, dim]);
/** The same rows as another set: a query is a candidate of its own there. */
const sameRows = tf.clone(x);
const y = tf.tensor2d(normalArray(2, n * dim), [n, dim]);
const z = tf.tensor2d(normalArray(3, n * dim), [n, dim]);
const four = tf.tensor2d(normalArray(4, 4 * dim), [4, dim]);
const narrow = tf.ones([n, 2]);
afterAll(() => tf.dispose([x, sameRows, y, z, four, narrow]));
const clusters = Array.from({ length: n }, (_, i) => (i + Math.floor(i / 7)) % 5);
const patterns = labels.map(String);

const integer = (value: number, other: number, min: number) => ({
  default: value,
  other,
  range: { min, integer: true },
});

/** The result does not depend on them, and their bound of 1,024 is not tried. */
const threads = { default: 1, refused: [0, 1.5, 1025, Number.NaN, "1"] };

describeOptions("fitKMeans", {
  run: async (o: KMeansOptions) => {
    const { labels: found, inertia, iterations } = await fitKMeans(x, o);
    return [...found, inertia, iterations];
  },
  given: { clusters: 6, restarts: 2 },
  options: {
    clusters: { other: 3, range: { min: 1, max: n, integer: true } },
    seed: integer(0, 3, 0),
    restarts: { range: { min: 1, integer: true } },
    maxIterations: integer(300, 1, 1),
    tolerance: { default: 1e-4, other: 10, range: { min: 0 } },
    batchSize: { other: 8, range: { min: 1, integer: true } },
  },
});
describeOptions("the restarts of fitKMeans", {
  run: async (o: { restarts?: number }) => [(await fitKMeans(x, { clusters: 12, ...o })).inertia],
  options: { restarts: integer(10, 1, 1) },
});
describeOptions("vMeasure", {
  run: (o: VMeasureOptions) => Object.values(vMeasure(labels, clusters, o)),
  options: { beta: { default: 1, other: 2, range: { min: 0 } } },
});
describeOptions("nearestNeighbours", {
  run: async (o: NearestNeighboursOptions) =>
    (await nearestNeighbours(x, o)).flatMap(({ indices }) => [...indices]),
  options: {
    among: { other: y, refused: [narrow] },
    k: { ...integer(1, 3, 1), range: { min: 1, max: n - 1, integer: true } },
    threads,
  },
});
const votes = {
  k: integer(1, 7, 1),
  weights: { default: "uniform" as const, refused: ["cosine"] },
  // Uniform votes have no temperature.
  temperature: { refused: [0.07, 0] },
  threads,
};
const train = {
  other: { features: y, labels },
  refused: [{}, { features: y }, { features: y, labels: [1] }, { features: y, labels, k: 1 }],
};
describeOptions("nearestNeighbourAccuracy", {
  run: async (o: NearestNeighbourOptions) => [await nearestNeighbourAccuracy(x, labels, o)],
  options: { ...votes, train },
});
const predictions = async (o: NearestNeighbourPredictionOptions) =>
  (await nearestNeighbourPredictions(x, o)).map(Number);
describeOptions("nearestNeighbourPredictions", {
  run: predictions,
  given: { labels },
  options: { ...votes, labels: { other: clusters, refused: [[1], 1] }, train: { refused: [train.other] } },
});
describeOptions("nearestNeighbourPredictions with weights", {
  run: predictions,
  given: { labels, k: 15, weights: "exponential" },
  options: {
    labels: {},
    k: { other: 3, range: { min: 1, max: n - 1, integer: true } },
    weights: { other: "uniform" },
    temperature: { default: 0.07, other: 5, range: { above: 0 } },
    threads,
    train: {},
  },
});
describeOptions("nearestNeighbourPredictions of voters", {
  run: predictions,
  given: { train: { features: y, labels } },
  options: {
    labels: {},
    k: integer(1, 5, 1),
    weights: {},
    temperature: {},
    threads,
    train: { ...train, other: { features: z, labels } },
  },
});
/** A tolerance as wide as the cosines' range leaves nothing right. */
const tieTolerance = { default: 1e-6, other: 2, range: { min: 0, max: 2 } };
describeOptions("captionChoice", {
  run: async (o: CaptionChoiceOptions) => {
    const { accuracy, macroAccuracy, byCategory } = await captionChoice(o);
    return [accuracy, macroAccuracy, ...Object.values(byCategory).map((part) => part.accuracy)];
  },
  given: { images: x, captions: y, negatives: z },
  options: {
    images: { other: z, refused: [narrow] },
    captions: { other: x, refused: [four] },
    negatives: { other: x, refused: [narrow] },
    imageOf: {
      default: Array.from({ length: n }, (_, i) => i),
      other: Array.from({ length: n }, (_, i) => n - 1 - i),
      refused: [[0], [...new Array(n - 1).keys(), n], [...new Array(n - 1).keys(), -1]],
    },
    captionOf: {
      default: Array.from({ length: n }, (_, i) => i),
      other: Array.from({ length: n }, (_, i) => n - 1 - i),
      refused: [[0], [...new Array(n - 1).keys(), n], [...new Array(n - 1).keys(), -1]],
    },
    categories: { other: patterns, refused: [["a"], "a"] },
    tieTolerance,
  },
});
describeOptions("textImagePairs", {
  run: async (o: TieOptions) => [(await textImagePairs(x, y, x, z, patterns, o)).accuracy],
  options: { tieTolerance },
});
describeOptions("imageImagePairs", {
  run: async (o: ImageImageOptions) => [(await imageImagePairs(x, y, x, z, patterns, o)).accuracy],
  options: { tieTolerance, rule: { default: "strict", other: "two-way", refused: ["loose"] } },
});
describeOptions("winogroundScores", {
  run: async (o: TieOptions) => {
    const { text, image, group } = await winogroundScores(
      { images0: x, images1: y, captions0: x, captions1: z },
      o,
    );
    return [text, image, group];
  },
  options: { tieTolerance },
});
describeOptions("retrievalScores", {
  run: async (o: RetrievalOptions) => {
    const { recall, mAP, mrr, rPrecision } = await retrievalScores(x, sameRows, o);
    return [...Object.values(recall), mAP, mrr, rPrecision];
  },
  given: { right: labels.map((_, i) => [i]) },
  options: {
    labels: { refused: [labels] },
    right: {
      other: labels.map((_, i) => [n - 1 - i]),
      refused: [[[0]], 1, labels, labels.map(() => [n]), labels.map(() => [-1])],
    },
    ks: { default: [1, 5, 10], other: [2], refused: [[], [0], [1.5], 1] },
    tieTolerance,
    threads,
  },
});
describeOptions("retrievalScores within one set", {
  run: async (o: RetrievalOptions) => {
    const { recall, mAP, mrr, rPrecision } = await retrievalScores(x, undefined, o);
    return [...Object.values(recall), mAP, mrr, rPrecision];
  },
  given: { labels },
  options: {
    labels: {
      other: labels.map((_, i) => i % 3),
      refused: [labels.slice(1), 3, labels.map((label) => label + 0.5)],
    },
    right: { refused: [labels.map((_, i) => [n - 1 - i])] },
    ks: { default: [1, 5, 10], other: [2] },
    tieTolerance,
    threads,
  },
});
describeOptions("imageTextRetrieval", {
  run: async (o: ImageTextOptions) => {
    const { imageToText, textToImage } = await imageTextRetrieval(x, x, o);
    return [
      ...Object.values(imageToText.recall),
      imageToText.mAP,
      ...Object.values(textToImage.recall),
      textToImage.mAP,
    ];
  },
  given: { imageOf: labels.map((_, i) => i) },
  options: {
    imageOf: { other: labels.map((_, i) => n - 1 - i), refused: [1, [], labels.map((_, i) => i - 1)] },
    ks: { default: [1, 5, 10], other: [2], refused: [[], [0], [1.5], 1] },
    tieTolerance,
    threads,
  },
});
describeOptions("recallAtK", {
  run: async (o: TieOptions) =>
    Object.values(await recallAtK(x, y, (i, j) => labels[i] === labels[j], [1, 2], o)),
  options: { tieTolerance },
});
for (const [name, score] of Object.entries({
  zeroShotScores: async (o: TieOptions) => [...(await zeroShotScores(x, four, labels, o)).ranks],
  zeroShotAccuracy: async (o: TieOptions) => [await zeroShotAccuracy(x, four, labels, o)],
})) {
  describeOptions(name, { run: score, options: { tieTolerance } });
}
/** A text as numbers that differ with it. */
const encode = (texts: string[]) =>
  tf.tensor2d(texts.map((text) => [text.length, text.charCodeAt(0), text.charCodeAt(text.length - 1)]));
describeOptions("zeroShotClassifier", {
  run: async (o: ZeroShotOptions) => zeroShotClassifier(encode as never, o),
  given: { classNames: ["cat", "a zebra"] },
  options: {
    classNames: { other: ["cats", "dogs"], refused: [[], "cat", [1]] },
    templates: { default: ["a photo of a {}."], other: ["{}!", "a {}"], refused: [[], "{}", ["no place"]] },
  },
});
describeOptions("logisticRegression", {
  run: async (o: LogisticRegressionOptions) => {
    const { weights, bias, C, iterations } = await logisticRegression(x, labels, o);
    return [...weights.data, ...bias, C, iterations];
  },
  options: {
    C: { default: 1, other: 10, range: { above: 0 } },
    maxIterations: integer(1000, 1, 1),
    tolerance: { default: 1e-5, other: 1e-1, range: { above: 0 } },
  },
});
const part = { features: x, labels };
describeOptions("linearProbe", {
  run: async (o: LinearProbeOptions) => {
    const { accuracy, meanPerClass, classifier } = await linearProbe(o);
    return [accuracy, meanPerClass, ...classifier.weights.data, classifier.C, classifier.iterations];
  },
  given: { train: part, test: { features: y, labels }, C: 1 },
  options: {
    train: { other: { features: y, labels }, refused: [{}, { ...part, more: 1 }] },
    validation: { refused: [part] },
    test: { other: part, refused: [{}, { ...part, more: 1 }] },
    C: { other: 3, range: { above: 0 } },
    maxIterations: integer(1000, 1, 1),
    tolerance: { default: 1e-5, other: 1e-1, range: { above: 0 } },
  },
});
describeOptions("projectTSNE", {
  run: async (o: TSNEOptions) => (await projectTSNE(x, o)).flat(),
  given: { iterations: 20 },
  options: {
    perplexity: { default: 13, other: 5, range: { above: 0, below: n } },
    iterations: { other: 10, range: { min: 1, integer: true } },
    learningRate: { default: 10, other: 5, range: { above: 0 } },
    seed: integer(0, 1, 0),
  },
});
describeOptions("projectUMAP", {
  run: async (o: UMAPOptions) => (await projectUMAP(x, o)).flat(),
  options: {
    neighbors: { default: 15, other: 5, range: { min: 2, max: n - 1, integer: true } },
    minDist: { default: 0.1, other: 0.5, range: { min: 0, max: 1 } },
    seed: integer(0, 1, 0),
  },
});
const outcomes = labels.map((label, i) => (label + i / n) / 4);
for (const [name, interval] of Object.entries({
  bootstrapInterval: (o: BootstrapOptions) => bootstrapInterval(outcomes, o),
  pairedBootstrap: (o: BootstrapOptions) =>
    pairedBootstrap(
      outcomes,
      labels.map((label, i) => (i % 7) / (7 + label)),
      o,
    ),
})) {
  describeOptions(name, {
    run: (o: BootstrapOptions) => interval(o).interval,
    options: {
      confidence: { default: 0.95, other: 0.5, range: { above: 0, below: 1 } },
      resamples: integer(10_000, 50, 1),
      seed: integer(0, 1, 0),
    },
  });
}
describeOptions("wilsonInterval", {
  run: ({ share = 0.5, n: trials = 10, z: deviations }: { share?: number; n?: number; z?: number }) =>
    wilsonInterval(share, trials, deviations),
  arguments: true,
  options: {
    share: { other: 0.6, range: { min: 0, max: 1 } },
    n: { other: 20, range: { min: 1, integer: true } },
    z: { default: 1.959963984540054, other: 1, range: { above: 0 } },
  },
});
