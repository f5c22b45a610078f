import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { forEachSimilarityRow, rowCosines } from "./similarity-rows.js";

const lengths = [1, 1e-20, 1e-38, 1e-8, 1e20, 3e38];

/** Rows of these lengths, and the same of length 1. */
function rows(seed: number) {
  const values = normalArray(seed, lengths.length * 3);
  const unit = lengths.map((_, i) => {
    const row = Array.from(values.subarray(3 * i, 3 * i + 3));
    const norm = Math.hypot(...row);
    return row.map((value) => value / norm);
  });
  return { unit, long: tf.tensor2d(unit.map((row, i) => row.map((value) => value * lengths[i]))) };
}

const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);

it("are cosines of rows of any length", async () => {
  const [a, b] = [rows(1), rows(2)];
  await expectNoLeaks(async () => {
    await forEachSimilarityRow(a.long, b.long, (i, similarities) => {
      expectClose(
        similarities,
        b.unit.map((row) => dot(a.unit[i], row)),
        { absolute: 1e-6 },
      );
    });
    expectClose(
      await rowCosines(a.long, b.long),
      a.unit.map((row, i) => dot(row, b.unit[i])),
      { absolute: 1e-6 },
    );
  });
  tf.dispose([a.long, b.long]);
});

it("shows every query once where there are several blocks, and 0 for a zero row", async () => {
  // 2^24 similarities make a block: 3000 x 6000 need two.
  const queries = tf.tensor2d(normalArray(3, 3000 * 2), [3000, 2]);
  const candidates = tf.tensor2d(normalArray(4, 6000 * 2).fill(0, 0, 2), [6000, 2]);
  const [q, c] = [await queries.array(), await candidates.array()];
  const seen: number[] = [];
  await forEachSimilarityRow(queries, candidates, (i, similarities) => {
    seen.push(i);
    expect(similarities).toHaveLength(6000);
    expect(similarities[0]).toBe(0);
    const cosine = dot(q[i], c[5999]) / (Math.hypot(...q[i]) * Math.hypot(...c[5999]));
    expectClose([similarities[5999]], [cosine], { absolute: 1e-6 });
  });
  expect(seen).toEqual(Array.from({ length: 3000 }, (_, i) => i));
  tf.dispose([queries, candidates]);
});
