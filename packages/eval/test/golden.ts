import { readFileSync } from "node:fs";

interface GoldenClustering {
  labels: number[];
  clusters: number[];
  nmi: number;
  acc: number;
  ari: number;
  ami: number;
  homogeneity: number;
  completeness: number;
  vMeasure: number;
  vMeasureBeta: number;
  fowlkesMallows: number;
  purity: number;
}

interface Golden {
  clusterings: GoldenClustering[];
  knn: {
    features: number[][];
    labels: number[];
    queries: number[][];
    queryLabels: number[];
    leaveOneOut: number;
    indices: number[][];
    similarities: number[][];
    silhouette: number;
    [weighted: `weighted${number}at${number}`]: number;
  };
  retrieval: {
    right: number[][];
    mAP: number;
    mrr: number;
    rPrecision: number;
    recall: Record<number, number>;
    /** Of the features of `knn` among themselves, by their labels. */
    within: { mAP: number; rPrecision: number; recall: Record<number, number> };
  };
  kMeans: { features: number[][]; inertia: number };
  probes: {
    classes: number;
    C: number;
    labels: number[];
    probabilities: number[][];
    weights: number[][];
    queries: number[];
  }[];
}

/** scikit-learn's numbers; tools/reference/eval.py makes them. */
export const golden = JSON.parse(
  readFileSync(new URL("../fixtures/golden.json", import.meta.url), "utf8"),
) as Golden;
