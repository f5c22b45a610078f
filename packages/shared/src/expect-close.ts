import type * as tf from "@tensorflow/tfjs-core";

/** Numbers as tests hold them: read from a tensor, from a fixture, or written out. */
export type Numbers = ArrayLike<number>;

/** How far apart two numbers may be: `|actual - expected| <= absolute + relative * |expected|`. Both default to 0: equal. */
export interface Tolerance {
  /** A share of the expected value, at least 0. */
  relative?: number;
  /** At least 0; the two tolerances are added. */
  absolute?: number;
}

/**
 * Throws unless every element of `actual` is within tolerance of its peer in `expected`. NaN matches only NaN, an
 * infinity only the same infinity. Two tensors must have the same shape; against a plain array the number of elements
 * must be the same. The message names the worst index, both values and how many elements are off.
 *
 * Tensors are read synchronously. On a backend that cannot do that (WebGPU), pass `await x.data()`.
 *
 * @example expectClose(tf.add(1, 2), [3], { absolute: 1e-6 });
 */
export function expectClose(
  actual: tf.Tensor | Numbers,
  expected: tf.Tensor | Numbers,
  tolerance: Tolerance = {},
): void {
  const { relative, absolute } = checkTolerance("expectClose", tolerance);
  const { a, e, place } = readBoth(actual, expected);
  let off = 0;
  let worst = -1;
  let worstExcess = 0;
  for (let i = 0; i < e.length; i++) {
    const excess = excessOver(a[i]!, e[i]!, absolute, relative);
    if (excess <= 0) continue;
    off++;
    if (worst < 0 || excess > worstExcess) {
      worst = i;
      worstExcess = excess;
    }
  }
  if (off === 0) return;
  throw new Error(
    `${off} of ${e.length} elements differ by more than absolute ${absolute} + relative ${relative}; ` +
      `worst at ${place(worst)}: actual ${a[worst]}, expected ${e[worst]}, difference ${Math.abs(a[worst]! - e[worst]!)}`,
  );
}

/**
 * Throws unless `||actual - expected|| <= absolute + relative * ||expected||` (Euclidean norms): the measure for long
 * float32 sums, where single elements near zero carry the error of their large neighbours. Any NaN or infinity on one
 * side that the other side lacks fails, and so do shapes that differ.
 */
export function expectCloseNorm(
  actual: tf.Tensor | Numbers,
  expected: tf.Tensor | Numbers,
  tolerance: Tolerance = {},
): void {
  const { relative, absolute } = checkTolerance("expectCloseNorm", tolerance);
  const { a, e, place } = readBoth(actual, expected);
  let differenceSquared = 0;
  let expectedSquared = 0;
  let worst = 0;
  let worstDifference = -1;
  for (let i = 0; i < e.length; i++) {
    if (Object.is(a[i], e[i]) && !Number.isFinite(e[i])) continue;
    const difference = Number.isFinite(a[i]) && Number.isFinite(e[i]) ? Math.abs(a[i]! - e[i]!) : Infinity;
    differenceSquared += difference ** 2;
    if (Number.isFinite(e[i])) expectedSquared += e[i]! ** 2;
    if (difference > worstDifference) {
      worst = i;
      worstDifference = difference;
    }
  }
  const allowed = absolute + relative * Math.sqrt(expectedSquared);
  if (Math.sqrt(differenceSquared) <= allowed) return;
  throw new Error(
    `norm of the difference is ${Math.sqrt(differenceSquared)}, allowed ${allowed} ` +
      `(absolute ${absolute} + relative ${relative} * norm of expected ${Math.sqrt(expectedSquared)}); ` +
      `worst at ${place(worst)}: actual ${a[worst]}, expected ${e[worst]}`,
  );
}

/** How much a pair exceeds its tolerance: at most 0 when close, Infinity when one is not finite and they differ. */
function excessOver(actual: number, expected: number, absolute: number, relative: number): number {
  if (actual === expected || (Number.isNaN(actual) && Number.isNaN(expected))) return 0;
  if (!Number.isFinite(actual) || !Number.isFinite(expected)) return Infinity;
  return Math.abs(actual - expected) - (absolute + relative * Math.abs(expected));
}

function checkTolerance(name: string, { relative = 0, absolute = 0 }: Tolerance): Required<Tolerance> {
  for (const [key, value] of Object.entries({ relative, absolute })) {
    if (!(value >= 0 && value < Infinity)) {
      throw new Error(`${name}: ${key} must be a finite number of at least 0, got ${value}`);
    }
  }
  return { relative, absolute };
}

function isTensor(x: tf.Tensor | Numbers): x is tf.Tensor {
  return "dataId" in x;
}

function readBoth(actual: tf.Tensor | Numbers, expected: tf.Tensor | Numbers) {
  const actualShape = isTensor(actual) ? actual.shape : undefined;
  const expectedShape = isTensor(expected) ? expected.shape : undefined;
  if (actualShape && expectedShape && actualShape.join() !== expectedShape.join()) {
    throw new Error(`shapes differ: actual [${actualShape}], expected [${expectedShape}]`);
  }
  const a = isTensor(actual) ? actual.dataSync() : actual;
  const e = isTensor(expected) ? expected.dataSync() : expected;
  if (a.length !== e.length) {
    throw new Error(
      `number of elements differs: actual ${a.length}${actualShape ? ` (shape [${actualShape}])` : ""}, ` +
        `expected ${e.length}${expectedShape ? ` (shape [${expectedShape}])` : ""}`,
    );
  }
  const shape = actualShape ?? expectedShape;
  return { a, e, place: (index: number) => nameIndex(index, shape) };
}

/** "index 5" for flat numbers, "index 5 = [1, 2]" for a tensor. */
function nameIndex(index: number, shape: number[] | undefined): string {
  if (!shape || shape.length < 2) return `index ${index}`;
  const coordinates: number[] = [];
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    coordinates.unshift(rest % shape[axis]!);
    rest = Math.floor(rest / shape[axis]!);
  }
  return `index ${index} = [${coordinates.join(", ")}]`;
}
