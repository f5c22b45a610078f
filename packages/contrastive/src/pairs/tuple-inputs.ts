import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, checkLabels, type Labels } from "../check-embeddings.js";
import type { Reduction } from "../reducers/reduce.js";
import { checkOptions, describe } from "../shared/check-options.js";
import {
  checkIndices,
  type Pairs,
  pairsFromLabels,
  pairsFromTriplets,
  type Triplets,
  tripletsFromPairs,
} from "./pairs.js";

/** Rows that anchors are compared with, in place of the other rows of the batch, such as a cross-batch memory. */
export interface Reference {
  /** `[m, dim]` */
  embeddings: tf.Tensor;
  /** `m` */
  labels: Labels;
}

/** Options of the losses of pairs and triplets. */
export interface TupleLossOptions<R extends Reduction = Reduction> {
  /** The pairs to use, such as a miner's, in place of all that the labels make. */
  pairs?: Pairs;
  /** The triplets to use, such as a miner's, in place of all that the labels make. */
  triplets?: Triplets;
  /** Other rows to compare with. Default: the batch itself. */
  reference?: Reference;
  /** Over the losses. Default `"mean"`. */
  reduction?: R;
}

/** The names of {@link TupleLossOptions}, for `checkOptions`. */
export const tupleOptionNames = { pairs: true, triplets: true, reference: true, reduction: true } as const;

/** Checked inputs of a loss of pairs or triplets. */
export interface TupleInputs {
  anchors: tf.Tensor2D;
  others: tf.Tensor2D;
  labels: Labels;
  otherLabels: Labels;
  /** Whether the others are the anchors themselves. */
  sameRows: boolean;
  pairs: () => Pairs;
  triplets: () => Triplets;
}

/** Checks embeddings, labels and tuples of the loss `caller`. */
export function readTuples(
  caller: string,
  embeddings: tf.Tensor,
  { labels, pairs, triplets, reference }: { labels: Labels } & TupleLossOptions,
): TupleInputs {
  const anchors = checkEmbeddings(`${caller}: embeddings`, embeddings);
  const n = anchors.shape[0];
  checkLabels(`${caller}: labels`, labels, n);
  if (pairs !== undefined && triplets !== undefined)
    throw new Error(`${caller}: expected pairs or triplets, got both`);
  let others = anchors;
  if (reference !== undefined) {
    const { embeddings: rows, labels: theirs } = checkOptions(`${caller}: reference`, reference, {
      embeddings: true,
      labels: true,
    });
    others = checkEmbeddings(`${caller}: reference.embeddings`, rows);
    if (others.shape[1] !== anchors.shape[1]) {
      throw new Error(
        `${caller}: reference.embeddings must be [m, ${anchors.shape[1]}] as embeddings are, got [${others.shape}]`,
      );
    }
    checkLabels(`${caller}: reference.labels`, theirs, others.shape[0]);
  }
  const m = others.shape[0];
  if (pairs !== undefined) {
    const { positive, negative } = checkOptions(`${caller}: pairs`, pairs, {
      positive: true,
      negative: true,
    });
    for (const [part, list] of Object.entries({ positive, negative })) {
      if (!list) throw new TypeError(`${caller}: pairs.${part} must be given, got ${describe(list)}`);
      const { anchor, other } = checkOptions(`${caller}: pairs.${part}`, list, { anchor: true, other: true });
      checkIndices(`${caller}: pairs.${part}`, { anchor, other }, { anchor: n, other: m });
    }
  }
  if (triplets !== undefined) {
    const lists = checkOptions(`${caller}: triplets`, triplets, {
      anchor: true,
      positive: true,
      negative: true,
    });
    const { anchor, positive, negative } = lists;
    checkIndices(
      `${caller}: triplets`,
      { anchor, positive, negative },
      { anchor: n, positive: m, negative: m },
    );
  }
  const allPairs = () =>
    pairs ??
    (triplets !== undefined ? pairsFromTriplets(triplets) : pairsFromLabels(labels, reference?.labels));
  return {
    anchors,
    others,
    labels,
    otherLabels: reference?.labels ?? labels,
    sameRows: reference === undefined,
    pairs: allPairs,
    triplets: () => triplets ?? tripletsFromPairs(allPairs()),
  };
}

/** The entries `matrix[rows[i], columns[i]]` as a list, differentiable. */
export function entriesAt(matrix: tf.Tensor2D, rows: Int32Array, columns: Int32Array): tf.Tensor1D {
  const width = matrix.shape[1];
  const places = Int32Array.from(rows, (row, i) => row * width + columns[i]);
  return tf.gather(tf.reshape(matrix, [-1]), tf.tensor1d(places, "int32")) as tf.Tensor1D;
}

/** Pairs as masks of the matrix of all comparisons, `[n, m]`, bool. */
export function maskOf(
  { anchor, other }: { anchor: Int32Array; other: Int32Array },
  shape: [number, number],
): tf.Tensor2D {
  const mask = new Uint8Array(shape[0] * shape[1]);
  for (const [i, row] of anchor.entries()) mask[row * shape[1] + other[i]] = 1;
  return tf.tensor2d(mask, shape, "bool");
}
