import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { compare, type Distance } from "../distances/distance.js";
import { lpDistance } from "../distances/lp-distance.js";
import { type Reference, readTuples } from "../pairs/tuple-inputs.js";

/** Options of all miners. */
export interface MinerOptions {
  /** Default `lpDistance()`: Euclidean, of normalised rows. */
  distance?: Distance;
  /** Other rows to take positives and negatives from. Default: the batch itself. */
  reference?: Reference;
}

/** The names of {@link MinerOptions}, for `checkOptions`. */
export const minerOptionNames = { distance: "function", reference: true } as const;

/** All distances on the host, and which pairs are positive or negative. */
export interface MiningInputs {
  n: number;
  m: number;
  distance: (i: number, j: number) => number;
  isPositive: (i: number, j: number) => boolean;
  isNegative: (i: number, j: number) => boolean;
}

/** Reads the distances of a batch, without a gradient. */
export async function readDistances(
  caller: string,
  embeddings: tf.Tensor,
  { labels, distance = lpDistance(), reference }: MinerOptions & { labels: Labels },
): Promise<MiningInputs> {
  let sameRows = true;
  let otherLabels = labels;
  const matrix = tf.tidy(() => {
    const inputs = readTuples(caller, embeddings, { labels, reference, withoutPositives: "skip" });
    sameRows = inputs.sameRows;
    otherLabels = inputs.otherLabels;
    return compare(inputs.anchors, inputs.others, { caller, distance });
  });
  const [n, m] = matrix.shape;
  const values = await matrix.data();
  matrix.dispose();
  const broken = values.findIndex((value) => Number.isNaN(value));
  if (broken >= 0) {
    throw new Error(`${caller}: the distance of row ${Math.floor(broken / m)} to row ${broken % m} is NaN`);
  }
  return {
    n,
    m,
    distance: (i, j) => values[i * m + j],
    isPositive: (i, j) => labels[i] === otherLabels[j] && !(sameRows && i === j),
    isNegative: (i, j) => labels[i] !== otherLabels[j],
  };
}
