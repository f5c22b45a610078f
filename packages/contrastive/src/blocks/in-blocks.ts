import * as tf from "@tensorflow/tfjs-core";
import { checkNumber } from "../shared/check-options.js";
import { recomputed } from "./recomputed.js";

/** Checks the option `blockSize`, which may be left out. */
export function checkBlockSize(caller: string, blockSize: number | undefined): number | undefined {
  if (blockSize === undefined) return undefined;
  return checkNumber(`${caller}: blockSize`, blockSize, { min: 1, integer: true });
}

/** Differences of rows that are in memory at a time, 32 MiB. */
const mostDifferences = 2 ** 23;

/** How many rows of `x` leave their differences to all rows of `y`, `[rows, m, dim]`, in memory. */
export function rowsThatFit(x: tf.Tensor2D, y: tf.Tensor2D): number {
  return Math.max(1, Math.floor(mostDifferences / (y.shape[0] * x.shape[1])));
}

/**
 * Computes a function of rows a block of them at a time, forward and again backward, so that what it makes of a block against all
 * others, such as a part of a similarity matrix, is in memory for one block alone. Values and gradients are those of all rows at once.
 *
 * @param inputs `rows` are tensors of n rows, which are cut; `whole` are tensors that each block needs as they are; `blockSize` is the
 *   number of rows at once, undefined for all
 * @param f makes `[rows, ...]` of the rows `first, first + 1, ...`; it makes its masks itself, and reads other tensors only if they outlive it
 * @returns `[n, ...]`
 */
export function inBlocks<R extends tf.Tensor[], W extends tf.Tensor[]>(
  {
    rows,
    whole,
    blockSize,
  }: { rows: readonly [...R]; whole: readonly [...W]; blockSize: number | undefined },
  f: (rows: R, whole: W, first: number) => tf.Tensor,
): tf.Tensor {
  const n = rows[0].shape[0]!;
  if (blockSize === undefined || blockSize >= n) return f([...rows] as never, [...whole] as never, 0);
  return tf.tidy(() => {
    const sizes = Array.from({ length: Math.ceil(n / blockSize) }, (_, i) =>
      Math.min(blockSize, n - i * blockSize),
    );
    // The gradient of a split is one concatenation; that of a slice would be padded to all rows.
    const parts = rows.map((x) => tf.split(x, sizes));
    const results = sizes.map((_, i) =>
      recomputed(
        (...given) => f(given.slice(0, rows.length) as R, given.slice(rows.length) as W, i * blockSize),
        [...parts.map((part) => part[i]), ...whole],
      ),
    );
    return tf.concat(results);
  });
}
