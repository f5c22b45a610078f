import type * as tf from "@tensorflow/tfjs-core";

export interface Tolerance {
  /** Allowed difference as a share of the expected value's magnitude. Default 0. */
  relative?: number;
  /** Allowed difference whatever the magnitude. Default 0. */
  absolute?: number;
}

export type Values = tf.Tensor | ArrayLike<number>;

const isTensor = (x: Values): x is tf.Tensor => "dataSync" in x;

/**
 * Asserts `|actual - expected| <= absolute + relative * |expected|` for every element.
 *
 * NaN equals NaN alone, and an infinity itself alone. Two tensors must have equal shapes.
 * @throws an error that names the worst element's index and both values.
 */
export function expectClose(actual: Values, expected: Values, tolerance: Tolerance = {}): void {
  const { relative = 0, absolute = 0 } = tolerance;
  if (isTensor(actual) && isTensor(expected) && String(actual.shape) !== String(expected.shape)) {
    throw new Error(`expectClose: expected shape [${expected.shape}], got [${actual.shape}]`);
  }
  const got = isTensor(actual) ? actual.dataSync() : actual;
  const want = isTensor(expected) ? expected.dataSync() : expected;
  if (got.length !== want.length) {
    throw new Error(`expectClose: expected ${want.length} values, got ${got.length}`);
  }
  let worst = -1;
  let excess = 1;
  let outside = 0;
  for (let i = 0; i < want.length; i++) {
    if (Object.is(got[i], want[i]) || got[i] === want[i]) continue;
    const allowed = absolute + relative * Math.abs(want[i]);
    const difference = Math.abs(got[i] - want[i]);
    // A NaN or infinite difference is never close.
    const ratio = Number.isFinite(difference) ? difference / allowed : Number.POSITIVE_INFINITY;
    if (ratio <= 1) continue;
    outside++;
    if (ratio > excess) {
      excess = ratio;
      worst = i;
    }
  }
  if (outside > 0) {
    throw new Error(
      `expectClose: ${outside} of ${want.length} values differ by more than ${absolute} + ${relative} * |expected|; ` +
        `worst at [${index(expected, worst)}]: expected ${want[worst]}, got ${got[worst]}`,
    );
  }
}

function index(values: Values, flat: number): string {
  if (!isTensor(values)) return String(flat);
  const parts: number[] = [];
  let rest = flat;
  for (const size of [...values.shape].reverse()) {
    parts.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return parts.join(", ");
}
