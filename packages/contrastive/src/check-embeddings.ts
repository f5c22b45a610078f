import * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "./shared/check-float.js";
import { checkNumber, describe } from "./shared/check-options.js";
import { type Trainable, tensorIn } from "./shared/trainable.js";

/** Labels of rows: rows of equal label belong together. */
export type Labels = ArrayLike<number>;

/**
 * Checks a matrix of embeddings and casts integers to float32: their squares would wrap.
 *
 * @param name how the error names it, such as `"infoNCE: query"`
 * @returns `[n, dim]`, float32; the tensor itself where it is float32 already
 * @throws on anything but a matrix of numbers with a row and a column
 */
export function checkEmbeddings(name: string, x: tf.Tensor): tf.Tensor2D {
  if (!(x instanceof tf.Tensor)) throw new TypeError(`${name} must be a tensor [n, dim], got ${describe(x)}`);
  if (x.rank !== 2 || x.size === 0)
    throw new Error(`${name} must be [n, dim], n and dim at least 1, got [${x.shape}]`);
  return toFloat(name, x) as tf.Tensor2D;
}

/** Casts integers to float32, and refuses strings, complex numbers and tensors that are disposed. */
export function toFloat<T extends tf.Tensor>(name: string, x: T): T {
  // tfjs goes on with a disposed tensor as long as another holds its data.
  if (x.isDisposed) throw new Error(`${name} is disposed`);
  if (x.dtype === "float32") return x;
  if (x.dtype === "int32" || x.dtype === "bool") return tf.cast(x, "float32");
  throw new TypeError(`${name} must hold numbers, got dtype ${x.dtype}`);
}

/**
 * Checks matrices of one shape, as {@link checkEmbeddings} does each.
 *
 * @throws with the names and shapes of all
 */
export function checkSameShape<K extends string>(
  caller: string,
  inputs: Readonly<Record<K, tf.Tensor>>,
): Record<K, tf.Tensor2D> {
  const entries = Object.entries<tf.Tensor>(inputs);
  const shapes = entries.map(([, x]) => String(x?.shape));
  if (entries[0][1]?.rank !== 2 || shapes.some((shape) => shape !== shapes[0])) {
    const given = entries.map(
      ([name, x]) => `${name} ${x instanceof tf.Tensor ? `[${x.shape}]` : describe(x)}`,
    );
    throw new Error(`${caller}: expected tensors of one shape [n, dim], got ${given.join(", ")}`);
  }
  return Object.fromEntries(
    entries.map(([name, x]) => [name, checkEmbeddings(`${caller}: ${name}`, x)]),
  ) as Record<K, tf.Tensor2D>;
}

/**
 * Checks a tensor of numbers that may be left out.
 *
 * @returns it as float32, or undefined
 * @throws on another value than a tensor, and on another shape
 */
export function checkOptionalTensor<T extends tf.Tensor>(
  name: string,
  x: tf.Tensor | undefined,
  shape: readonly number[],
): T | undefined {
  if (x === undefined) return undefined;
  if (!(x instanceof tf.Tensor)) {
    throw new TypeError(`${name} must be a tensor [${shape.join(", ")}], got ${describe(x)}`);
  }
  if (String(x.shape) !== String(shape)) {
    throw new Error(`${name} must be [${shape.join(", ")}], got [${x.shape}]`);
  }
  return toFloat(name, x) as T;
}

/** Checks an array of matrices, such as one for each view, as {@link checkEmbeddings} does each. */
export function checkEmbeddingsList(name: string, list: readonly tf.Tensor[]): tf.Tensor2D[] {
  if (!Array.isArray(list) || list.length === 0) {
    const got = Array.isArray(list) ? "none" : describe(list);
    throw new TypeError(`${name} must be an array of one tensor [n, dim] or more, got ${got}`);
  }
  return list.map((x, i) => checkEmbeddings(`${name}[${i}]`, x));
}

/** Checks labels, one for each of `n` rows: integers or other finite numbers. */
export function checkLabels(name: string, labels: Labels, n: number): void {
  if (typeof labels !== "object" || labels === null || labels.length !== n) {
    const got = labels?.length === undefined ? describe(labels) : `${labels.length}`;
    throw new Error(`${name} must hold ${n} numbers, one for each row, got ${got}`);
  }
  for (let i = 0; i < n; i++) checkNumber(`${name}[${i}]`, labels[i]);
}

/** Checks class numbers, integers in `0..classes-1`, one for each of `n` rows. */
export function checkClasses(
  name: string,
  labels: Labels,
  { n, classes }: { n: number; classes: number },
): void {
  checkLabels(name, labels, n);
  for (let i = 0; i < n; i++)
    checkNumber(`${name}[${i}]`, labels[i], { min: 0, max: classes - 1, integer: true });
}

/** Refuses a batch of one, whose rows have no negatives and a constant loss. */
export function checkBatch(caller: string, n: number): void {
  if (n < 2) {
    throw new Error(
      `${caller}: a batch of one has no negatives and a constant loss; n must be at least 2, got ${n}`,
    );
  }
}

/**
 * Checks that a value is one number, as a number or as a tensor of one, rather than broadcast it.
 *
 * @returns the number, or the tensor
 */
export function checkScalar(
  name: string,
  x: Trainable | number,
  range: Parameters<typeof checkNumber>[2] = {},
): tf.Tensor | number {
  const tensor = tensorIn(x);
  if (!tensor) return checkFloat(name, x, range);
  if (tensor.isDisposed) throw new Error(`${name} is disposed`);
  if (tensor.size === 1) return tensor;
  throw new Error(`${name} must be a number or a tensor of one value, got shape [${tensor.shape}]`);
}
