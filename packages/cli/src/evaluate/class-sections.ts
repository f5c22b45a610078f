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

/** Rows of a map: the time of t-SNE grows with their square. */
const mostPoints = 1000;

interface ClassFindings {
  /** Of the data set, for titles. */
  name: string;
  dataset: ImageDataset;
  features: tf.Tensor2D;
  /** Of each row. */
  labels: string[];
  clustering: ClusteringScores;
  /** Of the labels that a row's nearest neighbours have. */
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
      ["silhouette of the classes", await silhouette(features, labels)],
      [`${voters}, accuracy`, confusion.accuracy],
      [`${voters}, mean per class`, confusion.meanPerClass],
    ],
  });
  const { classes, counts } = confusion;
  addSection({ kind: "confusion", title: `${name}: ${voters}`, classes, counts });
  if (labels.length >= 3) {
    const shown = Math.min(mostPoints, labels.length);
    const rows = Array.from({ length: shown }, (_, i) => Math.floor((i * labels.length) / shown));
    const part = tf.tidy(() => tf.gather(features, tf.tensor1d(rows, "int32")));
    try {
      const own = rows.map((row) => labels[row]!);
      const some = shown < labels.length ? `, ${shown} of ${labels.length} images` : "";
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
