import { clusteringScores, kMeans, linearProbe, nearestNeighbourAccuracy } from "@dcr-js/eval";
import * as tf from "@tensorflow/tfjs-core";

/** How well features group by class, each in [0, 1]. */
export interface Grouping {
  /** Scores of k-means with as many clusters as classes. */
  NMI: number;
  ACC: number;
  /** Leave-one-out accuracy of the 10 nearest neighbours by cosine. */
  kNN: number;
}

/** How well features tell classes apart. */
export interface Discrimination extends Grouping {
  /** Accuracy of logistic regression on the second half of the rows, fitted to the first half. */
  "linear probe": number;
}

const NEIGHBOURS = 10;
/** Runs of k-means, of which the best counts. */
const RESTARTS = 10;
/** Inverse strength of the penalty, scikit-learn's default, on features with mean 0 and variance 1 in each dimension. */
const PROBE_C = 1;

/**
 * D-Ability of L2-normalised features.
 *
 * @param features `[n, dim]`. @param labels the class of each row, rows in random order. @param seed of k-means' first centres
 */
export async function discrimination(
  features: tf.Tensor2D,
  labels: Int32Array,
  seed: number,
): Promise<Discrimination> {
  return { ...(await grouping(features, labels, seed)), "linear probe": await probe(features, labels) };
}

/** The part of {@link discrimination} that needs no training; rows may stand in any order. */
export async function grouping(features: tf.Tensor2D, labels: Int32Array, seed: number): Promise<Grouping> {
  const clusters = await kMeans(features, { clusters: new Set(labels).size, seed, restarts: RESTARTS });
  const { nmi, acc } = clusteringScores(labels, clusters);
  return {
    NMI: nmi,
    ACC: acc,
    kNN: await nearestNeighbourAccuracy(features, labels, { k: NEIGHBOURS }),
  };
}

async function probe(features: tf.Tensor2D, labels: Int32Array): Promise<number> {
  const [n, dim] = features.shape;
  const half = Math.floor(n / 2);
  const [first, second] = tf.tidy(() => {
    const parts = [
      tf.slice2d(features, [0, 0], [half, dim]),
      tf.slice2d(features, [half, 0], [n - half, dim]),
    ];
    const { mean, variance } = tf.moments(parts[0], 0);
    // A dimension that is constant stays 0 and tells nothing.
    const deviation = tf.sqrt(tf.maximum(variance, 1e-12));
    return parts.map((part) => tf.div(tf.sub(part, mean), deviation) as tf.Tensor2D);
  });
  try {
    const { accuracy } = await linearProbe({
      train: { features: first, labels: labels.slice(0, half) },
      test: { features: second, labels: labels.slice(half) },
      C: PROBE_C,
    });
    return accuracy;
  } finally {
    tf.dispose([first, second]);
  }
}
