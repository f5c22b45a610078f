import fc from "fast-check";
import { expect, it } from "vitest";
import { largestMatching } from "./largest-matching.js";

/** The best matching of each label with a free cluster or with none, by trying all. */
function byTrying(table: number[][], label = 0, taken: readonly number[] = []): number {
  if (label === table.length) return 0;
  const taking = table[label].map((count, cluster) =>
    taken.includes(cluster) ? 0 : count + byTrying(table, label + 1, [...taken, cluster]),
  );
  return Math.max(byTrying(table, label + 1, taken), ...taking);
}

const cellsOf = (table: number[][]) =>
  table.flatMap((row, label) =>
    row.flatMap((count, cluster) => (count > 0 ? [{ label, cluster, count }] : [])),
  );

it("is the best of all matchings, also where sides differ in size and parts are not connected", () => {
  const tables = fc
    .record({ labels: fc.integer({ min: 1, max: 6 }), clusters: fc.integer({ min: 1, max: 5 }) })
    .chain(({ labels, clusters }) =>
      fc.array(
        // Half of the cells are empty.
        fc.array(
          fc.integer({ min: -5, max: 5 }).map((count) => Math.max(0, count)),
          { minLength: clusters, maxLength: clusters },
        ),
        { minLength: labels, maxLength: labels },
      ),
    );
  fc.assert(
    fc.property(tables, (table) => {
      expect(largestMatching(cellsOf(table))).toBe(byTrying(table));
    }),
    { numRuns: 300, seed: 1 },
  );
});

it("matches many labels with few clusters, and many of both", () => {
  // A matrix of 20,000 x 20,000 would take 3 GB.
  const few = Array.from({ length: 20_000 }, (_, label) => ({ label, cluster: label % 10, count: 1 }));
  expect(largestMatching(few)).toBe(10);
  const many = Array.from({ length: 20_000 }, (_, label) => ({ label, cluster: label, count: 2 }));
  expect(largestMatching(many)).toBe(40_000);
});
