import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { gradientsFor, groupsOf, type LossGradientsOptions } from "./loss-gradients.js";

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
  checkLists(gradients);
  const { whole, groups: grouped } = await readGrams(gradients, { groups });
  return { whole, groups: grouped };
}

/** Checks that the gradients of all losses are lists of as many tensors, of the same shapes. */
function checkLists(gradients: readonly (readonly tf.Tensor[])[]): void {
  if (!gradients[0]?.length || gradients.some((list) => list.length !== gradients[0].length)) {
    throw new Error("gramMatrix: expected one list of gradients for each loss, all of one length, not empty");
  }
  for (const [at, { shape }] of gradients[0].entries()) {
    for (const [i, list] of gradients.entries()) {
      if (String(list[at].shape) === String(shape)) continue;
      throw new Error(
        `gramMatrix: tensor ${at} must have one shape for all losses, got [${shape}] and, of loss ${i}, [${list[at].shape}]`,
      );
    }
  }
}

/** {@link groupedGramMatrices} of gradients of the same shapes, and some scalars with the same readback. */
export async function readGrams(
  gradients: readonly (readonly tf.Tensor[])[],
  { groups = [], scalars = [] }: { groups?: readonly (string | undefined)[]; scalars?: readonly tf.Tensor[] },
): Promise<GroupedGram & { scalars: Float64Array }> {
  const m = gradients.length;
  const ungrouped = Symbol();
  const members = new Map<string | symbol, number[]>();
  for (const at of gradients[0].keys()) {
    const group = groups[at] ?? ungrouped;
    members.set(group, [...(members.get(group) ?? []), at]);
  }
  const keys = [...members.keys()];
  /** @param scales of each loss in each group, by which its elements are divided before they are squared */
  const gramsOf = async (scales?: Float32Array) => {
    const values = await read(() => {
      const grams = keys.map((key, k) => gramOf(gradients, members.get(key)!, scales?.subarray(k * m)));
      return tf.concat([tf.stack(grams), ...scalars].map((x) => tf.reshape(x, [-1])));
    });
    const result = {
      whole: new Float64Array(m * m),
      groups: [] as [string, Float64Array][],
      scalars: Float64Array.from(values.subarray(keys.length * m * m)),
      /** Squared norms by group and loss. */
      squares: [] as number[],
    };
    for (const [k, key] of keys.entries()) {
      const own = scales?.subarray(k * m);
      const gram = Float64Array.from(values.subarray(k * m * m, (k + 1) * m * m), (value, cell) =>
        own ? value * own[(cell / m) | 0] * own[cell % m] : value,
      );
      for (const [cell, value] of gram.entries()) result.whole[cell] += value;
      result.squares.push(...gram.filter((_, cell) => cell % (m + 1) === 0));
      if (typeof key === "string") result.groups.push([key, gram]);
    }
    return { ...result, groups: Object.fromEntries(result.groups) };
  };
  const plain = await gramsOf();
  // A group's gradients may vanish beside those of another, so that each is asked.
  const isUnsafe = plain.squares.map((squared) => !(squared > leastSquare && squared < mostSquare));
  if (!isUnsafe.includes(true)) return plain;
  const largest = await read(() =>
    tf.stack(
      keys.flatMap((key) =>
        gradients.map((list) =>
          tf.max(
            tf.stack(
              members.get(key)!.map((at) => (list[at].size ? tf.max(tf.abs(list[at])) : tf.scalar(0))),
            ),
          ),
        ),
      ),
    ),
  );
  // A gradient of zero is measured right already.
  const again = largest.some((value, at) => isUnsafe[at] && value > 0);
  return again ? gramsOf(largest.map(scaleOf)) : plain;
}

/** Squared norms beyond these are near the ends of float32, where squares overflow or vanish. */
const [leastSquare, mostSquare] = [1e-30, 1e30];

async function read(f: () => tf.Tensor): Promise<Float32Array> {
  const x = tf.tidy(f);
  const values = await x.data<"float32">();
  x.dispose();
  return values;
}

/** A divisor below 1e-37 would be flushed to zero on some devices; a zero or broken gradient is left as it is. */
const scaleOf = (largest: number) =>
  largest > 0 && largest < Number.POSITIVE_INFINITY ? Math.max(largest, 1e-37) : 1;

/** Products of elements that are held at a time for small tensors: 8 MiB. */
const productsAtOnce = 2 ** 21;

/** The inner products `[m, m]` of all pairs of gradients at some tensors. Small tensors are taken together, in few operations. */
function gramOf(
  gradients: readonly (readonly tf.Tensor[])[],
  tensors: readonly number[],
  scales?: Float32Array,
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
      const row = tf.concat1d(parts);
      return scales ? (tf.div(row, scales[i]) as tf.Tensor1D) : row;
    });
    if (rows[0].size > most) return gramOfLongRows(rows);
    // Sums, unlike a product of matrices, keep float32's digits over any length: they add parts of parts.
    const stacked = tf.stack(rows);
    return tf.sum(tf.mul(tf.expandDims(stacked, 1), tf.expandDims(stacked, 0)), 2);
  });
  return tf.addN(grams);
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
  checkGram(names, gram);
  return compare(names, gram);
}

function checkGram(names: readonly string[], gram: ArrayLike<number>): void {
  if (!Array.isArray(names)) {
    throw new TypeError(`conflictFromGram: names must be an array of texts, got ${describe(names)}`);
  }
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) {
    throw new Error(`conflictFromGram: names must differ, got ${describe(twice)} twice`);
  }
  if (gram?.length !== names.length ** 2) {
    throw new Error(
      `conflictFromGram: expected ${names.length ** 2} inner products, got ${gram?.length ?? describe(gram)}`,
    );
  }
}

/** @throws naming the losses whose inner products are not finite */
function compare(names: readonly string[], gram: ArrayLike<number>): GradientConflict {
  const m = names.length;
  for (let at = 0; at < m * m; at++) {
    if (Number.isFinite(gram[at])) continue;
    // The diagonal tells whose gradient is at fault.
    const [i, j] = [(at / m) | 0, at % m];
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
export function conflictFromGroupedGram(names: readonly string[], gram: GroupedGram): GradientConflict {
  const { whole, groups = {} } = gram ?? {};
  for (const gram of [whole, ...Object.values(groups)]) checkGram(names, gram);
  return compareGroups(names, { whole, groups });
}

function compareGroups(names: readonly string[], { whole, groups }: GroupedGram): GradientConflict {
  return {
    ...compare(names, whole),
    groups: Object.fromEntries(Object.entries(groups).map(([group, gram]) => [group, compare(names, gram)])),
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
  const { losses, variables, values, gradients } = gradientsFor("gradientConflict", rest);
  try {
    const read = await readGrams(gradients, {
      groups: groupsOf("gradientConflict", variables, groupOf),
      scalars: values,
    });
    const conflict = groupOf ? compareGroups(losses, read) : compare(losses, read.whole);
    const named = losses.map((name, i) => [
      name,
      checkNumber(`gradientConflict: loss ${JSON.stringify(name)}`, read.scalars[i]),
    ]);
    return { ...conflict, values: Object.fromEntries(named) };
  } finally {
    tf.dispose([values, gradients] as tf.TensorContainer);
  }
}
