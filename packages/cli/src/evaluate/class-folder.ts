import { basename } from "node:path";
import { imageFolder } from "@dcr-js/data";
import { clusteringScores, confusionMatrix, kMeans, nearestNeighbourPredictions } from "@dcr-js/eval";
import { addClassSections } from "./class-sections.js";
import { encodeDataset } from "./encode-dataset.js";
import type { Evaluation } from "./evaluation.js";
import type { EvaluationInput } from "./evaluation-input.js";

const neighbours = 5;

/** D-Ability on a folder with a folder for each class: k-means against the classes, and leave-one-out nearest neighbours. */
export async function evaluateClassFolder(folder: string, input: EvaluationInput): Promise<Evaluation> {
  // The files that are not read were named when the folder was checked.
  const dataset = await openClassFolder(folder, () => {});
  const { features, labels } = await encodeDataset(dataset, input);
  try {
    const clusters = await kMeans(features, { clusters: dataset.labels!.length, seed: input.seed });
    const clustering = clusteringScores(labels as string[], clusters);
    const k = Math.min(neighbours, labels.length - 1);
    const predictions = await nearestNeighbourPredictions(features, { labels: labels as string[], k });
    const confusion = confusionMatrix(labels as string[], predictions);
    const name = basename(folder);
    if (input.addSection) {
      await addClassSections(input.addSection, {
        name,
        dataset,
        features,
        labels: labels as string[],
        clustering,
        confusion,
        neighbours: k,
        seed: input.seed,
      });
    }
    const { nmi, acc, ari } = clustering;
    return { figures: { [name]: { NMI: nmi, ACC: acc, ARI: ari, kNN: confusion.accuracy } } };
  } finally {
    features.dispose();
  }
}

/**
 * @param log is told which files are not read
 * @throws where the folder is not one of classes
 */
export async function openClassFolder(folder: string, log: (line: string) => void) {
  const dataset = await imageFolder(folder, { log });
  const { labels = [], length } = dataset;
  if (labels.length < 2) {
    throw new Error(`expected a folder for each of two classes or more, got ${labels.length}`);
  }
  for (let i = 0; i < length; i++) {
    const { name, label } = dataset.entry(i);
    if (label === undefined) throw new Error(`${name} is in no class's folder`);
  }
  return dataset;
}
