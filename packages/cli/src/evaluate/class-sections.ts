import type { ImageDataset } from "@dcr-js/data";
import {
  type ClusteringScores,
  type ConfusionMatrix,
  projectTSNE,
  projectUMAP,
  type Section,
  silhouette,
} from "@dcr-js/eval";
import { neighbourGallery } from "@dcr-js/eval/datasets";
import * as tf from "@tensorflow/tfjs-core";

/** Images of a map and of the silhouette: the time of both grows with their square. */
const mostPoints = 1000;
const mostDistances = 4000;

interface ClassFindings {
  /** The data set's name, for titles. */
  name: string;
  dataset: ImageDataset;
  features: tf.Tensor2D;
  /** The class of each row. */
  labels: string[];
  clustering: ClusteringScores;
  /** Each class against the classes that its rows' nearest neighbours vote for. */
  confusion: ConfusionMatrix;
  neighbours: number;
  seed: number;
}

/** Sections of a report on images with classes: all measures, confusion, t-SNE, UMAP, and images with their neighbours. */
export async function addClassSections(
  addSection: (section: Section) => void,
  { name, dataset, features, labels, clustering, confusion, neighbours, seed }: ClassFindings,
): Promise<void> {
  const voters = `${neighbours} nearest neighbours`;
  addSection({
    kind: "table",
    title: `${name}: measures`,
    columns: ["measure", "value"],
    rows: [
      ["images", labels.length],
      ["classes", new Set(labels).size],
      ...Object.entries(clustering).map(([measure, value]): [string, number] => [
        `k-means, ${measure}`,
        value,
      ]),
      ...(await silhouetteRows(features, labels)),
      [`${voters}, accuracy`, confusion.accuracy],
      [`${voters}, mean per class`, confusion.meanPerClass],
    ],
  });
  const { classes, counts } = confusion;
  addSection({ kind: "confusion", title: `${name}: ${voters}`, classes, counts });
  if (labels.length >= 3) {
    const { part, own, some } = someOf(features, labels, mostPoints);
    try {
      const map = (method: string, points: [number, number][]) =>
        addSection({ kind: "points", title: `${name}: ${method}${some}`, points, labels: own });
      map("t-SNE", await projectTSNE(part, { seed }));
      map("UMAP", await projectUMAP(part, { seed }));
    } finally {
      part.dispose();
    }
  }
  const title = `${name}: nearest neighbours`;
  addSection(await neighbourGallery(dataset, { features, labels, title }));
}

/** At most `most` images, evenly apart. @returns `part`, which the caller disposes, their labels, and words that say how many they are */
function someOf(features: tf.Tensor2D, labels: readonly string[], most: number) {
  const shown = Math.min(most, labels.length);
  const rows = Array.from({ length: shown }, (_, i) => Math.floor((i * labels.length) / shown));
  return {
    part: tf.tidy(() => tf.gather(features, tf.tensor1d(rows, "int32"))),
    own: rows.map((row) => labels[row]!),
    some: shown < labels.length ? `, ${shown} of ${labels.length} images` : "",
  };
}

/** The silhouette's row; none where it is not defined, which needs two classes and a class of two images. */
async function silhouetteRows(features: tf.Tensor2D, labels: readonly string[]): Promise<[string, number][]> {
  const { part, own, some } = someOf(features, labels, mostDistances);
  try {
    const classes = new Set(own).size;
    if (classes < 2 || classes === own.length) return [];
    return [[`silhouette of the classes${some}`, await silhouette(part, own)]];
  } finally {
    part.dispose();
  }
}
