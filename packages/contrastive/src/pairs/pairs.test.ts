import { expect, it } from "vitest";
import { pairsFromLabels, pairsFromTriplets, tripletsFromLabels, tripletsFromPairs } from "./pairs.js";

it("pairs rows by label, within a batch and with other rows", () => {
  const plain = (pairs: object) =>
    JSON.parse(JSON.stringify(pairs, (_, x) => (ArrayBuffer.isView(x) ? [...(x as Int32Array)] : x)));
  expect(plain(pairsFromLabels([0, 1, 0]))).toEqual({
    positive: { anchor: [0, 2], other: [2, 0] },
    negative: { anchor: [0, 1, 1, 2], other: [1, 0, 2, 1] },
  });
  expect(plain(pairsFromLabels([0, 1], Int32Array.of(1)))).toEqual({
    positive: { anchor: [1], other: [0] },
    negative: { anchor: [0], other: [0] },
  });
  const triplets = tripletsFromLabels([0, 1, 0]);
  expect(plain(triplets)).toEqual({ anchor: [0, 2], positive: [2, 0], negative: [1, 1] });
  expect(plain(pairsFromTriplets(triplets))).toEqual({
    positive: { anchor: [0, 2], other: [2, 0] },
    negative: { anchor: [0, 2], other: [1, 1] },
  });
});

it("refuses what holds no row numbers, by its place", () => {
  const one = Int32Array.of(0);
  const rows = { anchor: one, other: one };
  const cases: [() => unknown, string][] = [
    [
      () => tripletsFromPairs(undefined as never),
      "tripletsFromPairs: pairs.positive.anchor must be an Int32Array",
    ],
    [() => tripletsFromPairs({ positive: rows } as never), "pairs.negative.anchor must be an Int32Array"],
    [
      () => tripletsFromPairs({ positive: rows, negative: { anchor: one, other: new Int32Array(2) } }),
      "tripletsFromPairs: pairs.negative: expected lists of one length, got 1 and 2",
    ],
    [() => pairsFromTriplets(3 as never), "pairsFromTriplets: triplets.anchor must be an Int32Array"],
    [
      () => pairsFromTriplets({ anchor: one, positive: Int32Array.of(-1), negative: one }),
      "triplets.positive[0] must be an integer, at least 0",
    ],
  ];
  for (const [run, message] of cases) expect(run).toThrow(message);
});
