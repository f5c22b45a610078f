import { basename } from "node:path";
import { clusteringScores, confusionMatrix, kMeans, nearestNeighbourPredictions } from "@dcr-js/eval";
import { classFolder } from "@dcr-js/eval/datasets";
import { addClassSections } from "./class-sections.js";
import { encodeDataset } from "./encode-dataset.js";
import type { Evaluation } from "./evaluation.js";
import type { EvaluationInput } from "./evaluation-input.js";

const neighbours = 5;

/** D-Ability on a folder with a folder for each class: k-means against the classes, and leave-one-out nearest neighbours. */
export async function evaluateClassFolder(folder: string, input: EvaluationInput): Promise<Evaluation> {
  // The files that are not read were named when the folder was checked.
  const { dataset, classes } = await classFolder(folder);
  const { features, labels } = await encodeDataset(dataset, input);
  try {
    const clusters = await kMeans(features, { clusters: classes.length, seed: input.seed });
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
