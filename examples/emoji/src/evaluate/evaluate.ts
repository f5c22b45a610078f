import type { Evaluation, EvaluationInput } from "@dcr-js/cli";
import {
  type ClusteringScores,
  clusteringScores,
  imageImagePairs,
  kMeans,
  nearestNeighbourAccuracy,
  textImagePairs,
} from "@dcr-js/eval";
import * as tf from "@tensorflow/tfjs-core";
import { detailPairImages, loadDetailPairs } from "../data/detail-pairs.js";
import { type EmojiData, type EmojiItem, itemIndices } from "../data/emoji.js";
import type { MnistData } from "../data/mnist.js";
import { encodeImages } from "./encode-images.js";
import { heldOutRetrieval } from "./retrieval.js";
import { visiblePairs } from "./visible-pairs.js";

/** Clustering and nearest neighbours of one data set, each in [0, 1]. */
export interface DScores extends Pick<ClusteringScores, "nmi" | "acc" | "ari"> {
  /** Leave-one-out accuracy of the 5 nearest neighbours. */
  knn: number;
}

/** The codes that are evaluated on: `reserved` for the final evaluation, `validation` to choose settings with. */
export type EvaluatedSplit = "reserved" | "validation";

const neighbours = 5;
/** A class needs this many images to be one; validation holds a third of the images that reserved does. */
const minimalClass: Record<EvaluatedSplit, number> = { reserved: 8, validation: 4 };
/** As scikit-learn's `n_init`. */
const restarts = 10;
const digitsPerClass = 100;

/** The images that D-Ability is measured on: whole subcategories of codes that no model was trained on. */
export function discriminationSet(
  emoji: EmojiData,
  split: EvaluatedSplit,
): { rows: number[]; labels: Int32Array; classes: string[] } {
  const inPairs = new Set(loadDetailPairs().flatMap(({ a, b }) => [a.code, b.code]));
  const plain = ({ code, baseCode }: EmojiItem) => code === baseCode;
  const candidates = itemIndices(
    emoji.items,
    (item) => item.split === split && plain(item) && !inPairs.has(item.code),
  );
  const counts = new Map<string, number>();
  for (const row of candidates) {
    const { subcategory } = emoji.items[row];
    counts.set(subcategory, (counts.get(subcategory) ?? 0) + 1);
  }
  const rows = candidates.filter((row) => counts.get(emoji.items[row].subcategory)! >= minimalClass[split]);
  const classes = [...new Set(rows.map((row) => emoji.items[row].subcategory))];
  const labels = Int32Array.from(rows, (row) => classes.indexOf(emoji.items[row].subcategory));
  return { rows, labels, classes };
}

async function discrimination(features: tf.Tensor2D, labels: Int32Array, seed: number): Promise<DScores> {
  const clusters = await kMeans(features, { clusters: new Set(labels).size, seed, restarts });
  const { nmi, acc, ari } = clusteringScores(labels, clusters);
  return {
    nmi,
    acc,
    ari,
    knn: await nearestNeighbourAccuracy(features, labels, { k: neighbours }),
  };
}

/** D-Ability, P-Ability and retention of the encoder as it is, with the features that D-Ability is measured on. */
export async function evaluateEmoji(
  input: Pick<EvaluationInput, "encoder" | "processor" | "encodeText" | "seed">,
  { emoji, mnist }: { emoji: EmojiData; mnist: MnistData },
  split: EvaluatedSplit,
): Promise<Evaluation> {
  const { seed } = input;
  const own: tf.Tensor[] = [];
  const images = (source: Uint8Array, rows: ArrayLike<number>) => {
    const features = encodeImages(input, source, rows);
    own.push(features);
    return features;
  };
  const texts = async (list: string[]) => {
    const features = await input.encodeText(list);
    own.push(features);
    return features;
  };

  const { rows, labels, classes } = discriminationSet(emoji, split);
  const digits = Array.from({ length: 10 }, (_, digit) => {
    const first = mnist.labels.indexOf(digit);
    return Array.from({ length: digitsPerClass }, (_, i) => first + i);
  }).flat();
  const features = images(emoji.images, rows);
  const sets = [
    await discrimination(features, labels, seed),
    await discrimination(
      images(mnist.images, digits),
      Int32Array.from(digits, (i) => mnist.labels[i]),
      seed,
    ),
  ];
  const mean = (name: keyof DScores) => (sets[0][name] + sets[1][name]) / 2;
  const D = { NMI: mean("nmi"), ACC: mean("acc"), ARI: mean("ari"), kNN: mean("knn") };

  const pairs = split === "reserved" ? loadDetailPairs() : visiblePairs(emoji);
  const patterns = pairs.map(({ pattern }) => pattern);
  const side = (style: "google" | "twitter", which: 0 | 1) =>
    images(
      emoji.images,
      pairs.map((pair) => detailPairImages(emoji, pair, style)[which]),
    );
  const [googleA, googleB, twitterA, twitterB] = [
    side("google", 0),
    side("google", 1),
    side("twitter", 0),
    side("twitter", 1),
  ];
  const saysA = await texts(pairs.map(({ a }) => a.statement));
  const saysB = await texts(pairs.map(({ b }) => b.statement));
  const text = [
    await textImagePairs(googleA, googleB, saysA, saysB, patterns),
    await textImagePairs(twitterA, twitterB, saysA, saysB, patterns),
  ];
  const image = await imageImagePairs(googleA, googleB, twitterA, twitterB, patterns);
  const P = { text: (text[0].accuracy + text[1].accuracy) / 2, image: image.accuracy };

  const { imageToText, crossStyle } = await heldOutRetrieval(input, emoji);
  const values = (await features.array()) as number[][];
  tf.dispose(own);
  const [meanD, meanP] = [(D.NMI + D.ACC + D.ARI + D.kNN) / 4, (P.text + P.image) / 2];
  return {
    figures: {
      "D-Ability": D,
      "P-Ability": P,
      retention: { "image to text R@1": imageToText.r1, "google to twitter R@1": crossStyle.r1 },
      means: { D: meanD, P: meanP, both: (meanD + meanP) / 2 },
    },
    patterns: Object.entries(image.byPattern).flatMap(([pattern, { accuracy, count }]) => [
      { measure: "P image", pattern, accuracy, count },
      {
        measure: "P text",
        pattern,
        accuracy: (text[0].byPattern[pattern].accuracy + text[1].byPattern[pattern].accuracy) / 2,
        count,
      },
    ]),
    features: { values, labels: Array.from(labels, (label) => classes[label]) },
  };
}
