import { expect, it } from "vitest";
import { checkOrder, orderOfOthers, seededNumbers, shuffledOthers } from "./shuffled.js";

/** Those of mulberry32 as it was published, from a state mixed of the three integers: a resumed run draws the same in every version. */
it("draws the numbers that it always drew", () => {
  const draw = (key: [number, number, number]) => {
    const next = seededNumbers(key);
    return [next(), next(), next()].map((value) => value * 2 ** 32);
  };
  expect(draw([0, 0, 0])).toEqual([1668719907, 3447776223, 2326451024]);
  expect(draw([7, 3, 2])).toEqual([18488457, 4223092130, 1504258428]);
  expect(draw([2 ** 31, 1000, 5])).toEqual([1574658531, 736438721, 3237562845]);
});

it("takes every other number once, in orders of seed, step and number", () => {
  const all = Array.from({ length: 60 }, (_, step) => shuffledOthers(4, 1, 0, step));
  for (const order of all) expect([...order].sort()).toEqual([0, 2, 3]);
  // Each of the six orders is as likely: ten of 60, and five standard deviations are 14.4.
  const counts = new Map<string, number>();
  for (const order of all) counts.set(String(order), (counts.get(String(order)) ?? 0) + 1);
  expect(counts.size).toBe(6);
  expect(Math.max(...counts.values())).toBeLessThan(25);
  expect(shuffledOthers(5, 4, 3, 2)).toEqual([0, 1, 3, 2]);
  expect(orderOfOthers(5, 4, 2, { seed: 3, shuffle: true })).toEqual(shuffledOthers(5, 4, 3, 2));
  expect(orderOfOthers(5, 2, 7, { seed: 3, shuffle: false })).toEqual([0, 1, 3, 4]);
  expect(checkOrder("x", {})).toEqual({ seed: 0, shuffle: true });
});
