import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { groupsOf, type LossGradientsOptions, lossGradients } from "./loss-gradients.js";

/** How the gradients of several losses compare: norms, cosines. */
export interface GradientConflict {
  /** Euclidean norm of each loss's gradient. */
  norms: Record<string, number>;
  pairs: {
    losses: [string, string];
    /** Cosine of the angle between the two gradients, in [-1, 1]; 0 where one is zero. */
    cosine: number;
    /** `2 |a| |b| / (|a|^2 + |b|^2)` in [0, 1] (Yu et al. 2020, definition 2); 1 for equal lengths. */
    magnitudeSimilarity: number;
  }[];
  /** The same for the variables of each group, where groups are asked for. */
  groups?: Record<string, GradientConflict>;
}

/** Gram matrices of all variables and of groups of them, `m * m` row by row. */
export interface GroupedGram {
  whole: Float64Array;
  groups: Record<string, Float64Array>;
}

/**
 * The inner products of all pairs of gradients, `[m, m]` row by row, with one readback, and two more where squares are beyond
 * float32. `O(m^2 n)` for m gradients of n values.
 *
 * @param gradients of each loss, the same tensors' in the same order.
 */
export async function gramMatrix(gradients: readonly (readonly tf.Tensor[])[]): Promise<Float64Array> {
  const { whole } = await groupedGramMatrices(gradients, []);
  return whole;
}

/**
 * {@link gramMatrix} of all variables and of groups of them, in the same `O(m^2 n)` and still with one readback.
 *
 * @param groups for each tensor of a gradient the group that it belongs to; those of none count for the whole only.
 */
export async function groupedGramMatrices(
  gradients: readonly (readonly tf.Tensor[])[],
  groups: readonly (string | undefined)[],
): Promise<GroupedGram> {
  const { whole, groups: grouped } = await readGrams(gradients, { groups });
  return { whole, groups: grouped };
}

/** {@link groupedGramMatrices}, and some scalars with the same readback. */
export async function readGrams(
  gradients: readonly (readonly tf.Tensor[])[],
  { groups = [], scalars = [] }: { groups?: readonly (string | undefined)[]; scalars?: readonly tf.Tensor[] },
): Promise<GroupedGram & { scalars: Float64Array }> {
  const m = gradients.length;
  if (m === 0 || gradients[0].length === 0 || gradients.some((list) => list.length !== gradients[0].length)) {
    throw new Error(
      "gramMatrix: expected one list of gradients for each loss, all of one length of at least 1",
    );
  }
  const ungrouped = Symbol("ungrouped");
  const members = new Map<Key, number[]>();
  for (const at of gradients[0].keys()) {
    for (const [i, list] of gradients.entries()) {
      if (String(list[at].shape) === String(gradients[0][at].shape)) continue;
      throw new Error(
        `gramMatrix: tensor ${at} must have one shape for all losses, got [${gradients[0][at].shape}] and, of loss ${i}, [${list[at].shape}]`,
      );
    }
    const group = groups[at] ?? ungrouped;
    members.set(group, [...(members.get(group) ?? []), at]);
  }
  const keys = [...members.keys()];
  const gramsOf = async (
    some: Key[],
    { scales, rest = [] }: { scales?: Scales; rest?: readonly tf.Tensor[] },
  ) => {
    const cells = tf.tidy(() => {
      const grams = some.map((key) => gramOf(gradients, members.get(key)!, scales?.get(key)?.map(divisor)));
      return tf.concat([tf.stack(grams), ...rest].map((x) => tf.reshape(x, [-1])));
    });
    const values = await cells.data();
    cells.dispose();
    const read = some.map((key, at): [Key, Float64Array] => {
      const own = scales?.get(key)?.map(divisor);
      const gram = Float64Array.from(values.subarray(at * m * m, (at + 1) * m * m), (value, cell) =>
        own ? value * own[Math.floor(cell / m)] * own[cell % m] : value,
      );
      return [key, gram];
    });
    return { read, rest: Float64Array.from(values.subarray(some.length * m * m)) };
  };
  const plain = await gramsOf(keys, { rest: scalars });
  const grams = new Map(plain.read);
  // A group's gradients may vanish beside those of another, so that each is asked.
  const isUnsafe = (key: Key, loss: number) => {
    const squared = grams.get(key)![loss * (m + 1)];
    return !(squared > leastSquare && squared < mostSquare);
  };
  const asked = keys.filter((key) => gradients.some((_, loss) => isUnsafe(key, loss)));
  const scales = asked.length > 0 ? await scalesOf(gradients, asked, members) : new Map<Key, Float64Array>();
  // A gradient of zero is measured right already.
  const again = asked.filter((key) =>
    gradients.some((_, loss) => isUnsafe(key, loss) && scales.get(key)![loss] > 0),
  );
  if (again.length > 0) {
    const { read } = await gramsOf(again, { scales });
    for (const [key, gram] of read) grams.set(key, gram);
  }
  const result = {
    whole: new Float64Array(m * m),
    groups: {} as Record<string, Float64Array>,
    scalars: plain.rest,
  };
  for (const [key, gram] of grams) {
    for (const [cell, value] of gram.entries()) result.whole[cell] += value;
    if (typeof key === "string") result.groups[key] = gram;
  }
  return result;
}

/** A group's name, or a symbol for the tensors of none. */
type Key = string | symbol;

/** For groups the largest element of each loss's gradient there. */
type Scales = Map<Key, Float64Array>;

/** Squared norms beyond these are near the ends of float32, where squares overflow or vanish. */
const [leastSquare, mostSquare] = [1e-30, 1e30];

/** The largest element of each loss's gradient in some groups. */
async function scalesOf(
  gradients: readonly (readonly tf.Tensor[])[],
  keys: readonly Key[],
  members: ReadonlyMap<Key, readonly number[]>,
): Promise<Scales> {
  const m = gradients.length;
  const largest = tf.tidy(() =>
    tf.stack(
      keys.flatMap((key) =>
        gradients.map((list) => {
          const sizes = members
            .get(key)!
            .map((at) => (list[at].size ? tf.max(tf.abs(list[at])) : tf.scalar(0)));
          return tf.max(tf.stack(sizes));
        }),
      ),
    ),
  );
  const values = await largest.data();
  largest.dispose();
  const scales: Scales = new Map();
  for (const [at, key] of keys.entries()) {
    scales.set(key, Float64Array.from(values.subarray(at * m, (at + 1) * m)));
  }
  return scales;
}

/**
 * The number by which a gradient with this largest element is divided before it is squared. One below 1e-37 would be flushed to zero on some
 * devices; a zero or broken gradient is left as it is.
 */
const divisor = (largest: number) => (Number.isFinite(largest) && largest > 0 ? Math.max(largest, 1e-37) : 1);

/** Products of elements that are held at a time for small tensors: 8 MiB. */
const productsAtOnce = 2 ** 21;

/** The inner products `[m, m]` of all pairs of gradients at some tensors. Small tensors are taken together, in few operations. */
function gramOf(
  gradients: readonly (readonly tf.Tensor[])[],
  tensors: readonly number[],
  scales?: Float64Array,
): tf.Tensor {
  const m = gradients.length;
  const most = Math.floor(productsAtOnce / m ** 2);
  const packs: number[][] = [];
  let room = 0;
  for (const at of tensors) {
    const { size } = gradients[0][at];
    if (size <= room) {
      packs[packs.length - 1].push(at);
    } else {
      packs.push([at]);
      room = most;
    }
    room -= size;
  }
  const grams = packs.map((pack) => {
    const rows = gradients.map((list, i) => {
      const parts = pack.map((at) => tf.reshape(list[at], [-1]) as tf.Tensor1D);
      const row = parts.length === 1 ? parts[0] : tf.concat1d(parts);
      return scales ? (tf.div(row, scales[i]) as tf.Tensor1D) : row;
    });
    return rows[0].size <= most ? gramOfRows(tf.stack(rows)) : gramOfLongRows(rows);
  });
  return grams.length === 1 ? grams[0] : tf.sum(tf.stack(grams), 0);
}

// Sums, unlike a product of matrices, keep float32's digits over any length: they add parts of parts.
function gramOfRows(rows: tf.Tensor): tf.Tensor {
  return tf.sum(tf.mul(tf.expandDims(rows, 1), tf.expandDims(rows, 0)), 2);
}

/** One pair at a time, so that no more than a row is held. */
function gramOfLongRows(rows: readonly tf.Tensor[]): tf.Tensor {
  const m = rows.length;
  const cells: tf.Tensor[] = [];
  for (const [i, row] of rows.entries()) {
    for (let j = 0; j < m; j++) {
      cells.push(j < i ? cells[j * m + i] : tf.tidy(() => tf.sum(tf.mul(row, rows[j]))));
    }
  }
  return tf.reshape(tf.stack(cells), [m, m]);
}

/** Norms, cosines and magnitude similarities from a Gram matrix. @param names of the losses, in its order. */
export function conflictFromGram(names: readonly string[], gram: ArrayLike<number>): GradientConflict {
  if (!Array.isArray(names)) {
    throw new TypeError(
      `conflictFromGram: names must be an array of the losses' names, got ${describe(names)}`,
    );
  }
  const m = names.length;
  if (gram?.length !== m * m) {
    throw new Error(
      `conflictFromGram: expected ${m} x ${m} = ${m * m} inner products, got ${gram?.length ?? describe(gram)}`,
    );
  }
  for (let at = 0; at < m * m; at++) {
    if (Number.isFinite(gram[at])) continue;
    // The diagonal tells whose gradient is at fault.
    const [i, j] = [Math.floor(at / m), at % m];
    const own = [i, j].filter((k) => !Number.isFinite(gram[k * m + k]));
    const whose = (own.length > 0 ? own : [i, j]).map((k) => JSON.stringify(names[k]));
    throw new Error(
      `gradient conflict: the gradient of loss ${[...new Set(whose)].join(" and ")} is not finite`,
    );
  }
  const norm = (i: number) => Math.sqrt(Math.max(0, gram[i * m + i]));
  const pairs: GradientConflict["pairs"] = [];
  for (let i = 0; i < m; i++) {
    for (let j = i + 1; j < m; j++) {
      const [shorter, longer] = [Math.min(norm(i), norm(j)), Math.max(norm(i), norm(j))];
      // A ratio first: squares of long gradients overflow.
      const ratio = longer === 0 ? 1 : shorter / longer;
      pairs.push({
        losses: [names[i], names[j]],
        cosine: shorter === 0 ? 0 : Math.min(1, Math.max(-1, gram[i * m + j] / shorter / longer)),
        magnitudeSimilarity: (2 * ratio) / (1 + ratio ** 2),
      });
    }
  }
  return { norms: Object.fromEntries(names.map((name, i) => [name, norm(i)])), pairs };
}

/** {@link conflictFromGram} of the whole and of each group. */
export function conflictFromGroupedGram(
  names: readonly string[],
  { whole, groups }: GroupedGram,
): GradientConflict {
  return {
    ...conflictFromGram(names, whole),
    groups: Object.fromEntries(
      Object.entries(groups).map(([group, gram]) => [group, conflictFromGram(names, gram)]),
    ),
  };
}

/** Conflict as {@link gradientConflict} measures it. */
export interface MeasuredConflict extends GradientConflict {
  /** The losses' values. */
  values: Record<string, number>;
}

export interface GradientConflictOptions extends LossGradientsOptions {
  /**
   * The group, such as the layer, of the variable of this name; none where it gives undefined. Without it nothing is
   * grouped.
   */
  groups?: (variable: string) => string | undefined;
}

/**
 * Compares the gradients of any losses at any variables: norms, pairwise cosines and magnitude
 * similarities, over all variables and by group. For losses that share their forward pass, or to step along the
 * gradients too, take the gradients by other means and use {@link groupedGramMatrices}.
 *
 * `m` forward and backward passes, `O(m^2 n)` for the inner products, one readback.
 *
 * @throws as {@link lossGradients}.
 *
 * @example
 * const { values, ...conflict } = await gradientConflict({
 *   losses: { con: () => supCon(encode(x), labels), rec: () => reconstructionLoss(decode(encode(x)), x) },
 *   variables: Object.fromEntries(encoder.namedParameters()),
 *   groups: (name) => /layers\.\d+/.exec(name)?.[0],
 * });
 */
export async function gradientConflict(options: GradientConflictOptions): Promise<MeasuredConflict> {
  const { groups: groupOf, ...rest } = checkOptions<GradientConflictOptions>("gradientConflict", options, {
    losses: true,
    variables: true,
    groups: "function",
  });
  const { losses, variables, values, gradients } = lossGradients(rest);
  try {
    const read = await readGrams(gradients, {
      groups: groupsOf("gradientConflict", variables, groupOf),
      scalars: values,
    });
    const conflict = groupOf ? conflictFromGroupedGram(losses, read) : conflictFromGram(losses, read.whole);
    const named = losses.map((name, i) => [
      name,
      checkNumber(`gradientConflict: loss ${JSON.stringify(name)}`, read.scalars[i]),
    ]);
    return { ...conflict, values: Object.fromEntries(named) };
  } finally {
    tf.dispose([values, gradients] as tf.TensorContainer);
  }
}
