import type { TypedArray } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

export interface Running {
  axis: number;
  /** Whether an element is left out of its own result. */
  exclusive: boolean;
  /** Whether it runs from the end. */
  reverse: boolean;
}

/** Writes the running total of `from` along an axis to `to`: `step` adds an element to the total, which is `start` at first. */
export function running(
  to: TypedArray,
  {
    from,
    shape,
    start,
    step,
  }: { from: TypedArray; shape: number[]; start: number; step: (total: number, value: number) => number },
  { axis, exclusive, reverse }: Running,
): void {
  const [along] = tf.util.parseAxisParam(axis, shape);
  const [count, inner] = [shape[along], tf.util.sizeFromShape(shape.slice(along + 1))];
  for (let first = 0; first < from.length; first += count * inner) {
    for (let j = 0; j < inner; j++) {
      let total = start;
      for (let k = 0; k < count; k++) {
        const at = first + (reverse ? count - 1 - k : k) * inner + j;
        // A total of one is the element itself, -0 too.
        const next = k === 0 && !exclusive ? from[at] : step(total, from[at]);
        to[at] = exclusive ? total : next;
        total = next;
      }
    }
  }
}
