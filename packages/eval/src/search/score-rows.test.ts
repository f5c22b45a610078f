import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { nearestNeighbours } from "../neighbours/nearest-neighbours.js";
import { retrievalScores } from "../retrieval/retrieval-scores.js";
import { forEachScoreRow } from "./score-rows.js";

const rowsOf = (seed: number, n: number, dim: number) => {
  const values = normalArray(seed, n * dim);
  return Array.from({ length: n }, (_, i) => values.slice(i * dim, (i + 1) * dim));
};

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, first, second] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    first += a[i] ** 2;
    second += b[i] ** 2;
  }
  return first * second === 0 ? 0 : dot / Math.sqrt(first * second);
}

it.each([
  [1, 1, 1],
  [5, 7, 3],
  [9, 300, 17],
  [70, 130, 64],
])("has scores within their error of the cosines, %d x %d x %d", async (n, m, dim) => {
  const [queries, candidates] = [rowsOf(1, n, dim), rowsOf(2, m, dim)];
  candidates[0].fill(0);
  // Of any length.
  for (const [i, length] of [1e-20, 1e20].entries()) {
    const row = candidates[i + 1];
    if (row) for (let at = 0; at < dim; at++) row[at] *= length;
  }
  const [a, b] = [queries, candidates].map((rows) => tf.tensor2d(rows as never, [rows.length, dim]));
  const seen: number[] = [];
  await expectNoLeaks(async () => {
    await forEachScoreRow(
      "f",
      { queries: a, candidates: b },
      (query, { scores, unit, error, cosine: of }) => {
        seen.push(query);
        expect(scores).toHaveLength(m);
        expect(error / unit).toBeLessThan(2e-4 * Math.sqrt(dim));
        for (let j = 0; j < m; j++) {
          const expected = cosine(
            queries[query],
            candidates[j].map((value) =>
              Math.abs(value) < 1e-10 ? value * 1e20 : Math.abs(value) > 1e10 ? value / 1e20 : value,
            ),
          );
          expect(Math.abs(scores[j] - unit * expected)).toBeLessThanOrEqual(error);
          expect(Math.abs(of(j) - expected)).toBeLessThan(3e-7);
        }
      },
    );
  });
  expect(seen).toEqual(Array.from({ length: n }, (_, i) => i));
  tf.dispose([a, b]);
});

/** Rows that differ by far less than 16 bits tell apart. */
function nearRows(n: number, dim: number) {
  const noise = rowsOf(4, n, dim);
  return noise.map((row) => row.map((value, i) => 1 + i + 3e-5 * value));
}

it("finds the neighbours that float64 finds where 16 bits do not tell them apart", async () => {
  const rows = nearRows(40, 12);
  const found = await nearestNeighbours(rows, { k: 5 });
  for (const [i, { indices, similarities }] of found.entries()) {
    const order = rows
      .map((row, j) => ({ j, similarity: cosine(rows[i], row) }))
      .filter(({ j }) => j !== i)
      .sort((a, b) => b.similarity - a.similarity);
    expectClose(
      similarities,
      order.slice(0, 5).map(({ similarity }) => similarity),
      { absolute: 1e-7 },
    );
    // Rows of length 1 in float32 have cosines that are off by 1e-7 or so; what they order otherwise is as near as that.
    for (const j of indices) expect(order[4].similarity - cosine(rows[i], rows[j])).toBeLessThan(2e-7);
  }
});

it("counts ties against the query where 16 bits do not tell them apart", async () => {
  const rows = nearRows(30, 12);
  const right = rows.map((_, i) => [i]);
  // The rows' cosines differ by 1e-11, far less than the tolerance.
  expect((await retrievalScores(rows, rows, { right })).recall[10]).toBe(0);
  const apart = rowsOf(5, 30, 12);
  expect((await retrievalScores(apart, apart, { right })).recall[1]).toBe(1);
});

it("gives the same with threads", async () => {
  const [queries, among] = [rowsOf(6, 150, 20), rowsOf(7, 1001, 20)];
  await expectNoLeaks(async () => {
    const [one, three] = [1, 3].map((threads) => nearestNeighbours(queries, { among, k: 4, threads }));
    expect(await three).toEqual(await one);
    const right = queries.map((_, i) => [i, 2 * i]);
    const scores = [1, 2].map((threads) => retrievalScores(queries, among, { right, threads }));
    expect(await scores[1]).toEqual(await scores[0]);
  });
});

it("refuses threads that are no count", async () => {
  await expect(nearestNeighbours([[1], [2]], { threads: 0 })).rejects.toThrow(
    "nearestNeighbours: threads must be an integer, at least 1 and at most 1024, got 0",
  );
});
