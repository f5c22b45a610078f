import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { u32 } from "../launch.js";
import type { Gemm } from "./gemm.js";

/** How a product is written that is more than its sums. */
export type Ending = Partial<Pick<Gemm, "key" | "inputs" | "uniforms" | "declarations" | "value">>;

/**
 * Adds tensors to a product of `rows` by `columns` as it is written. A tensor with fewer rows, such as a bias with one, is added to
 * as many neighbouring rows from each.
 */
export function addendsEnding(addends: (TensorInfo | undefined)[], rows: number, columns: number): Ending {
  const present = addends.filter((info) => info !== undefined);
  const repeats = present.map(({ shape }) => (rows * columns) / Math.max(1, tf.util.sizeFromShape(shape)));
  const places = repeats.map((repeat, i) => {
    if (repeat === rows) return "column";
    return `${repeat === 1 ? "row" : `row / u.repeat${i}`} * u.n + column`;
  });
  return {
    key: places.join(),
    inputs: present.map((info, i) => ({ name: `addend${i}`, info })),
    uniforms: repeats.map((repeat, i) => u32(`repeat${i}`, repeat)),
    value: ["value", ...places.map((place, i) => `load_addend${i}(${place})`)].join(" + "),
  };
}
