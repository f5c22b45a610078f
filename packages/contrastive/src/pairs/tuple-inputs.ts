import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings, checkLabels, type Labels } from "../check-embeddings.js";
import { type Reduced, type Reduction, reduce } from "../reducers/reduce.js";
import { checkOptions, describe } from "../shared/check-options.js";
import {
  checkIndices,
  type Pairs,
  pairsFromLabels,
  pairsFromTriplets,
  type Triplets,
  tripletsFromPairs,
} from "./pairs.js";
import { anchorsWithoutPositives, type WithoutPositives } from "./without-positives.js";

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
  /**
   * The rule for a row that has no other row of its label: `"error"`, `"skip"` leaves it and its negatives out, `"zero"` gives it one loss
   * of 0. Default `"error"`. Given pairs and triplets are taken as they are.
   */
  withoutPositives?: WithoutPositives;
  /** Over the losses. Default `"mean"`. */
  reduction?: R;
}

/** The names of {@link TupleLossOptions}, for `checkOptions`. */
export const tupleOptionNames = {
  pairs: true,
  triplets: true,
  reference: true,
  withoutPositives: true,
  reduction: true,
} as const;

/** Checked inputs of a loss of pairs or triplets. */
export interface TupleInputs {
  anchors: tf.Tensor2D;
  others: tf.Tensor2D;
  labels: Labels;
  otherLabels: Labels;
  /** Whether the others are the anchors themselves. */
  sameRows: boolean;
  /** The anchors without positives, where the labels make the pairs. They have no pairs. */
  lonely: Int32Array;
  /** Whether each of these has a loss of 0, and not none. */
  lonelyCount: boolean;
  pairs: () => Pairs;
  triplets: () => Triplets;
}

/**
 * Checks embeddings, labels and tuples of the loss `caller`; `needsNegatives` says that the loss is constant where no anchor has a
 * negative.
 */
export function readTuples(
  caller: string,
  embeddings: tf.Tensor,
  {
    labels,
    pairs,
    triplets,
    reference,
    withoutPositives,
    needsNegatives = false,
  }: { labels: Labels; needsNegatives?: boolean } & TupleLossOptions,
): TupleInputs {
  const anchors = checkEmbeddings(`${caller}: embeddings`, embeddings);
  const n = anchors.shape[0];
  checkLabels(`${caller}: labels`, labels, n);
  if (pairs !== undefined && triplets !== undefined)
    throw new Error(`${caller}: expected pairs or triplets, got both`);
  let others = anchors;
  if (reference !== undefined) {
    if (typeof (reference as { reference?: unknown }).reference === "function") {
      throw new TypeError(`${caller}: reference must be rows with labels; call the memory's reference()`);
    }
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
  const given = pairs ?? (triplets !== undefined ? pairsFromTriplets(triplets) : undefined);
  const counts = given ? [] : countPositives(labels, reference?.labels);
  const lonely = anchorsWithoutPositives(caller, counts, withoutPositives);
  if (needsNegatives && !given && lonely.length < n) {
    const all = new Set([...Array.from(labels), ...Array.from(reference?.labels ?? [])]);
    if (all.size === 1) throw new Error(`${caller}: no anchor has a negative, which makes the loss constant`);
  }
  const allPairs = () => given ?? withoutAnchors(pairsFromLabels(labels, reference?.labels), lonely);
  return {
    anchors,
    others,
    labels,
    otherLabels: reference?.labels ?? labels,
    sameRows: reference === undefined,
    lonely,
    lonelyCount: withoutPositives === "zero",
    pairs: allPairs,
    triplets: () => triplets ?? tripletsFromPairs(allPairs()),
  };
}

/** The positives of each row in the reference, or in the batch beside itself. */
function countPositives(labels: Labels, referenceLabels?: Labels): number[] {
  const sizes = new Map<number, number>();
  for (const label of Array.from(referenceLabels ?? labels)) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  return Array.from(labels, (label) => (sizes.get(label) ?? 0) - (referenceLabels ? 0 : 1));
}

/** Pairs without the negative ones of some anchors. */
function withoutAnchors({ positive, negative }: Pairs, anchors: Int32Array): Pairs {
  if (anchors.length === 0) return { positive, negative };
  const left = new Set(anchors);
  const kept = (_: number, i: number) => !left.has(negative.anchor[i]);
  return {
    positive,
    negative: { anchor: negative.anchor.filter(kept), other: negative.other.filter(kept) },
  };
}

/** The losses of pairs or triplets, and after them those of anchors without positives that count as 0. */
export function withZeros(
  { lonely, lonelyCount }: Pick<TupleInputs, "lonely" | "lonelyCount">,
  losses: tf.Tensor1D,
  anchor: Int32Array,
): { losses: tf.Tensor1D; anchor: Int32Array } {
  if (!lonelyCount || lonely.length === 0) return { losses, anchor };
  return {
    losses: tf.concat([losses, tf.zeros([lonely.length])]) as tf.Tensor1D,
    anchor: Int32Array.from([...anchor, ...lonely]),
  };
}

/** Reduces the losses of pairs or triplets, loss i being of row `anchor[i]`. */
export function reduceTuples<R extends Reduction>(
  inputs: TupleInputs,
  losses: tf.Tensor,
  { anchor, reduction }: { anchor: Int32Array; reduction: R },
): Reduced<R> {
  const all = withZeros(inputs, losses as tf.Tensor1D, anchor);
  const context = { anchor: all.anchor, count: inputs.anchors.shape[0], labels: inputs.labels };
  return reduce(all.losses, reduction, context);
}

/** Reduces one loss for each anchor, `[n]`. */
export function reduceAnchors<R extends Reduction>(
  { lonely, lonelyCount, labels }: TupleInputs,
  losses: tf.Tensor,
  reduction: R,
): Reduced<R> {
  const count = losses.size;
  const left = new Set(lonely);
  let anchor = Int32Array.from({ length: count }, (_, i) => i);
  if (left.size === 0) return reduce(losses as tf.Tensor1D, reduction, { anchor, count, labels });
  if (lonelyCount) {
    const counts = tf.tensor1d(
      Array.from(anchor, (i) => !left.has(i)),
      "bool",
    );
    const kept = tf.where(counts, losses, tf.zerosLike(losses)) as tf.Tensor1D;
    return reduce(kept, reduction, { anchor, count, labels });
  }
  anchor = anchor.filter((i) => !left.has(i));
  const kept = tf.gather(losses, tf.tensor1d(anchor, "int32")) as tf.Tensor1D;
  return reduce(kept, reduction, { anchor, count, labels });
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
