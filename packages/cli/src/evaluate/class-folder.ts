import { basename } from "node:path";
import { imageFolder } from "@dcr-js/data";
import { clusteringScores, kMeans, nearestNeighbourAccuracy } from "@dcr-js/eval";
import { encodeDataset } from "./encode-dataset.js";
import type { Evaluation } from "./evaluation.js";
import type { EvaluationInput } from "./evaluation-input.js";

const neighbours = 5;

/** D-Ability on a folder with a folder for each class: k-means against the classes, and leave-one-out nearest neighbours. */
export async function evaluateClassFolder(folder: string, input: EvaluationInput): Promise<Evaluation> {
  const dataset = await openClassFolder(folder);
  const { features, labels } = await encodeDataset(dataset, input);
  try {
    const numbers = Int32Array.from(labels, (label) => dataset.labels!.indexOf(label!));
    const clusters = await kMeans(features, { clusters: dataset.labels!.length, seed: input.seed });
    const { nmi, acc, ari } = clusteringScores(numbers, clusters);
    const k = Math.min(neighbours, labels.length - 1);
    const knn = await nearestNeighbourAccuracy(features, numbers, { k });
    return { figures: { [basename(folder)]: { NMI: nmi, ACC: acc, ARI: ari, kNN: knn } } };
  } finally {
    features.dispose();
  }
}

/** @throws where the folder is not one of classes */
export async function openClassFolder(folder: string) {
  const dataset = await imageFolder(folder, { log: () => {} });
  const where = `--evaluate folder:${folder}`;
  const { labels = [], length } = dataset;
  if (labels.length < 2) {
    throw new Error(`${where}: expected a folder for each of two classes or more, got ${labels.length}`);
  }
  for (let i = 0; i < length; i++) {
    const { name, label } = dataset.entry(i);
    if (label === undefined) throw new Error(`${where}: ${name} is in no class's folder`);
  }
  return dataset;
}
