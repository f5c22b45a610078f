import { checkLabels, type Labels } from "../check-embeddings.js";
import { checkNumber, describe } from "../shared/check-options.js";

/** Pair i is row `anchor[i]` of the embeddings and row `other[i]` of the reference (by default the embeddings too). */
export interface IndexPairs {
  anchor: Int32Array;
  other: Int32Array;
}

/** The pairs that a loss draws together and those that it drives apart. */
export interface Pairs {
  positive: IndexPairs;
  negative: IndexPairs;
}

/** Triplet i is row `anchor[i]` with rows `positive[i]` and `negative[i]` of the reference. */
export interface Triplets {
  anchor: Int32Array;
  positive: Int32Array;
  negative: Int32Array;
}

/**
 * All pairs of rows: those of equal label are positive, the others negative. A row is not paired with itself.
 *
 * @param labels of the anchors
 * @param referenceLabels of the rows that they are paired with, where those are other rows
 * @throws on labels that are not finite numbers
 */
export function pairsFromLabels(labels: Labels, referenceLabels?: Labels): Pairs {
  for (const [name, list] of Object.entries({
    labels,
    ...(referenceLabels !== undefined && { referenceLabels }),
  })) {
    if (typeof list !== "object" || list === null || typeof list.length !== "number") {
      throw new TypeError(`pairsFromLabels: ${name} must be an array of numbers, got ${describe(list)}`);
    }
    checkLabels(`pairsFromLabels: ${name}`, list, list.length);
  }
  const others = referenceLabels ?? labels;
  const lists = { a1: [] as number[], p: [] as number[], a2: [] as number[], n: [] as number[] };
  for (let i = 0; i < labels.length; i++) {
    for (let j = 0; j < others.length; j++) {
      if (labels[i] !== others[j]) {
        lists.a2.push(i);
        lists.n.push(j);
      } else if (referenceLabels || i !== j) {
        lists.a1.push(i);
        lists.p.push(j);
      }
    }
  }
  return {
    positive: { anchor: Int32Array.from(lists.a1), other: Int32Array.from(lists.p) },
    negative: { anchor: Int32Array.from(lists.a2), other: Int32Array.from(lists.n) },
  };
}

/**
 * All triplets: an anchor, a row of its label and a row of another label. There are `O(n^3)`; mine them for large batches.
 *
 * @param labels of the anchors
 * @param referenceLabels of positives and negatives, where those are other rows
 */
export function tripletsFromLabels(labels: Labels, referenceLabels?: Labels): Triplets {
  return tripletsFromPairs(pairsFromLabels(labels, referenceLabels));
}

/** Every positive pair with every negative pair of the same anchor. @throws unless pairs hold lists of row numbers */
export function tripletsFromPairs(pairs: Pairs): Triplets {
  const { positive, negative } = pairs ?? {};
  for (const [name, list] of Object.entries({ positive, negative })) {
    checkIndices(`tripletsFromPairs: pairs.${name}`, list, { anchor: undefined, other: undefined });
  }
  const negatives = new Map<number, number[]>();
  for (const [i, anchor] of negative.anchor.entries()) {
    const list = negatives.get(anchor);
    if (list) list.push(negative.other[i]);
    else negatives.set(anchor, [negative.other[i]]);
  }
  const anchors: number[] = [];
  const positives: number[] = [];
  const others: number[] = [];
  for (const [i, anchor] of positive.anchor.entries()) {
    for (const other of negatives.get(anchor) ?? []) {
      anchors.push(anchor);
      positives.push(positive.other[i]);
      others.push(other);
    }
  }
  return {
    anchor: Int32Array.from(anchors),
    positive: Int32Array.from(positives),
    negative: Int32Array.from(others),
  };
}

/** The pairs of triplets, each as often as it occurs (as in pytorch-metric-learning). @throws unless triplets hold lists of row numbers */
export function pairsFromTriplets(triplets: Triplets): Pairs {
  checkIndices("pairsFromTriplets: triplets", triplets, {
    anchor: undefined,
    positive: undefined,
    negative: undefined,
  });
  const { anchor, positive, negative } = triplets;
  return {
    positive: { anchor: anchor.slice(), other: positive.slice() },
    negative: { anchor: anchor.slice(), other: negative.slice() },
  };
}

/** Checks that lists of indices have one length and lie within the rows, where a limit says how many there are. */
export function checkIndices(name: string, lists: object, limits: Record<string, number | undefined>): void {
  const given = (lists ?? {}) as Record<string, unknown>;
  const keys = Object.keys(limits);
  const lengths = keys.map((key) => (given[key] as Int32Array | undefined)?.length);
  for (const key of keys) {
    const list = given[key];
    const limit = limits[key];
    const max = limit === undefined ? undefined : limit - 1;
    if (!(list instanceof Int32Array))
      throw new TypeError(`${name}.${key} must be an Int32Array, got ${describe(list)}`);
    if (list.length !== lengths[0]) {
      throw new Error(`${name}: expected lists of one length, got ${lengths.join(" and ")}`);
    }
    for (let i = 0; i < list.length; i++) {
      checkNumber(`${name}.${key}[${i}]`, list[i], { min: 0, max, integer: true });
    }
  }
}
