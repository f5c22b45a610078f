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
import type { RunConfig } from "./config.js";
import { encodeImages } from "./encode-images.js";
import type { Models } from "./models.js";
import { heldOutRetrieval } from "./retrieval.js";
import { visiblePairs } from "./visible-pairs.js";

/** Clustering and nearest neighbours of one data set, each in [0, 1]. */
export interface DScores extends ClusteringScores {
  /** Leave-one-out accuracy of the 5 nearest neighbours. */
  knn: number;
}

export interface Evaluation {
  /** Means over the data sets, and each of them. */
  D: DScores & { bySet: Record<"emoji" | "mnist", DScores> };
  P: {
    /** Statements to images, both drawings; MMVP-VLM's rule. */
    text: number;
    /** Images to their twins in the other drawing. */
    image: number;
    byPattern: Record<string, { text: number; image: number; count: number }>;
  };
  /** What must not be lost while details are won: held-out image to caption, and google to twitter, R@1. */
  retention: { imageToText: number; crossStyle: number };
}

const neighbours = 5;
/** A class needs this many images to be one; validation holds a third of the images that reserved does. */
const minimalClass: Record<RunConfig["evaluate"], number> = { reserved: 8, validation: 4 };
/** As scikit-learn's `n_init`. */
const restarts = 10;

/** The images that D-Ability is measured on: whole subcategories of codes that no model was trained on. */
export function discriminationSet(
  emoji: EmojiData,
  config: Pick<RunConfig, "evaluate">,
): { rows: number[]; labels: Int32Array; classes: string[] } {
  const inPairs = new Set(loadDetailPairs().flatMap(({ a, b }) => [a.code, b.code]));
  const plain = ({ code, baseCode }: EmojiItem) => code === baseCode;
  const candidates = itemIndices(
    emoji.items,
    (item) => item.split === config.evaluate && plain(item) && !inPairs.has(item.code),
  );
  const counts = new Map<string, number>();
  for (const row of candidates) {
    const { subcategory } = emoji.items[row];
    counts.set(subcategory, (counts.get(subcategory) ?? 0) + 1);
  }
  const rows = candidates.filter(
    (row) => counts.get(emoji.items[row].subcategory)! >= minimalClass[config.evaluate],
  );
  const classes = [...new Set(rows.map((row) => emoji.items[row].subcategory))];
  const labels = Int32Array.from(rows, (row) => classes.indexOf(emoji.items[row].subcategory));
  return { rows, labels, classes };
}

async function discrimination(features: tf.Tensor2D, labels: Int32Array, seed: number): Promise<DScores> {
  const clusters = await kMeans(features, { clusters: new Set(labels).size, seed, restarts });
  return {
    ...clusteringScores(labels, clusters),
    knn: await nearestNeighbourAccuracy(features, labels, { k: neighbours }),
  };
}

/** D-Ability, P-Ability and retention of the encoder as it is. */
export async function evaluate(
  models: Pick<Models, "encoder" | "processor" | "clipTokenizer">,
  data: { emoji: EmojiData; mnist: MnistData },
  config: RunConfig,
  seed: number,
): Promise<Evaluation> {
  const { emoji, mnist } = data;
  const { encoder, clipTokenizer } = models;
  encoder.train(false);
  const own: tf.Tensor[] = [];
  const images = (source: Uint8Array, rows: ArrayLike<number>) => {
    const features = encodeImages(models, source, rows);
    own.push(features);
    return features;
  };
  const texts = (list: string[]) => {
    const features = tf.tidy(() => encoder.encodeText(clipTokenizer.encode(list)));
    own.push(features);
    return features;
  };

  const { rows, labels } = discriminationSet(emoji, config);
  const digits = Array.from({ length: 10 }, (_, digit) => {
    const first = mnist.labels.indexOf(digit);
    return Array.from({ length: config.digitsPerClass }, (_, i) => first + i);
  }).flat();
  const bySet = {
    emoji: await discrimination(images(emoji.images, rows), labels, seed),
    mnist: await discrimination(
      images(mnist.images, digits),
      Int32Array.from(digits, (i) => mnist.labels[i]),
      seed,
    ),
  };
  const mean = (name: keyof DScores) => (bySet.emoji[name] + bySet.mnist[name]) / 2;

  const pairs = config.evaluate === "reserved" ? loadDetailPairs() : visiblePairs(emoji);
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
  const [saysA, saysB] = [texts(pairs.map(({ a }) => a.statement)), texts(pairs.map(({ b }) => b.statement))];
  const text = [
    await textImagePairs(googleA, googleB, saysA, saysB, patterns),
    await textImagePairs(twitterA, twitterB, saysA, saysB, patterns),
  ];
  const image = await imageImagePairs(googleA, googleB, twitterA, twitterB, patterns);

  const { imageToText, crossStyle } = await heldOutRetrieval(models, emoji);
  tf.dispose(own);
  return {
    D: { nmi: mean("nmi"), acc: mean("acc"), ari: mean("ari"), knn: mean("knn"), bySet },
    P: {
      text: (text[0].accuracy + text[1].accuracy) / 2,
      image: image.accuracy,
      byPattern: Object.fromEntries(
        Object.entries(image.byPattern).map(([pattern, { accuracy, count }]) => [
          pattern,
          {
            text: (text[0].byPattern[pattern].accuracy + text[1].byPattern[pattern].accuracy) / 2,
            image: accuracy,
            count,
          },
        ]),
      ),
    },
    retention: { imageToText: imageToText.r1, crossStyle: crossStyle.r1 },
  };
}
