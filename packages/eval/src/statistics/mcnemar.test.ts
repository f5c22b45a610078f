import { expectClose } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { mcNemar } from "./mcnemar.js";

/** Outcomes of which `onlyA` only the first has right and `onlyB` only the second. */
const outcomes = (onlyA: number, onlyB: number) => {
  const n = onlyA + onlyB + 10;
  const a = Array.from({ length: n }, (_, i) => i < onlyA || i >= onlyA + onlyB);
  const b = Array.from({ length: n }, (_, i) => i >= onlyA);
  return [a, b] as const;
};

it.each([
  // Two-sided p of scipy.stats.binomtest(min, n, 0.5).
  [2, 8, 0.109375],
  [0, 5, 0.0625],
  [0, 0, 1],
  [5, 5, 1],
  [1, 9, 0.021484375],
])("is the exact binomial test: only a %d, only b %d", (onlyA, onlyB, pValue) => {
  for (const [a, b] of [
    outcomes(onlyA, onlyB),
    [...outcomes(onlyA, onlyB)].reverse() as [boolean[], boolean[]],
  ]) {
    const test = mcNemar(a, b);
    expectClose([test.pValue], [pValue], { relative: 1e-12 });
    expect(test.onlyA + test.onlyB).toBe(onlyA + onlyB);
  }
  expect(mcNemar(...outcomes(onlyA, onlyB))).toMatchObject({ onlyA, onlyB });
});

it("does not underflow", () => {
  // scipy.stats.binomtest(2400, 5000, 0.5).pvalue
  expectClose([mcNemar(...outcomes(2400, 2600)).pValue], [0.004883649737517494], { relative: 1e-9 });
});

it("refuses what is neither right nor wrong", () => {
  expect(() => mcNemar([1, 0.5], [1, 0])).toThrow("mcNemar: a[1] must be right (1) or wrong (0), got 0.5");
  expect(() => mcNemar([1], [1, 0])).toThrow(/of the same examples, got 1 and 2 outcomes/);
  expect(() => mcNemar([], [])).toThrow(/mcNemar: a must hold an outcome/);
});
