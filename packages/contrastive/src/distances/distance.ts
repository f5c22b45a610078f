import * as tf from "@tensorflow/tfjs-core";
import { checkEmbeddings } from "../check-embeddings.js";
import { describe } from "../shared/check-options.js";

/** Compares every row of `a [n, dim]` with every row of `b [m, dim]`: `[n, m]`, differentiable, greater is closer. */
export type Similarity = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor2D;

/** Compares every row of `a [n, dim]` with every row of `b [m, dim]`: `[n, m]`, differentiable, smaller is closer. */
export type Distance = (a: tf.Tensor2D, b: tf.Tensor2D) => tf.Tensor2D;

/** Checks two matrices of one width. @returns both as float32 */
export function checkWidths(caller: string, a: tf.Tensor, b: tf.Tensor): [tf.Tensor2D, tf.Tensor2D] {
  const rows: [tf.Tensor2D, tf.Tensor2D] = [
    checkEmbeddings(`${caller}: a`, a),
    checkEmbeddings(`${caller}: b`, b),
  ];
  if (a.shape[1] !== b.shape[1]) {
    throw new Error(`${caller}: expected [n, dim] and [m, dim], got [${a.shape}] and [${b.shape}]`);
  }
  return rows;
}

type Comparison = Similarity | Distance;

/** A comparison under the name of its kind, which is the option's name too. */
export type NamedComparison = { distance: Distance } | { similarity: Similarity };

const directions = {
  distance: "a distance (smaller is closer)",
  similarity: "a similarity (greater is closer)",
};

const kinds = new WeakMap<Comparison, keyof typeof directions>();

/** Marks a comparison, so that a loss that minimizes distances refuses a similarity. */
export function markKind<F extends Comparison>(how: F, kind: keyof typeof directions | undefined): F {
  if (kind) kinds.set(how, kind);
  return how;
}

/** The kind of a marked comparison; undefined for a user's own. */
export function kindOf(how: Comparison): keyof typeof directions | undefined {
  return kinds.get(how);
}

/** Runs a comparison, checks its kind where it is known, and the shape of its result. */
export function compare(
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  { caller, ...named }: { caller: string } & NamedComparison,
): tf.Tensor2D {
  const [[kind, how]] = Object.entries(named) as [[keyof typeof directions, Comparison]];
  const name = `${caller}: ${kind}`;
  const other = kindOf(how);
  if (other && other !== kind) {
    throw new Error(`${name} must be ${directions[kind]}, got ${directions[other]}`);
  }
  const matrix = how(a, b);
  if (
    !(matrix instanceof tf.Tensor) ||
    matrix.rank !== 2 ||
    matrix.shape[0] !== a.shape[0] ||
    matrix.shape[1] !== b.shape[0]
  ) {
    const got = matrix instanceof tf.Tensor ? `[${matrix.shape}]` : describe(matrix);
    throw new Error(`${name} must return [${a.shape[0]}, ${b.shape[0]}], got ${got}`);
  }
  return matrix;
}
