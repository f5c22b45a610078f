import { expect, it } from "vitest";
import { words, wordsOf } from "./random.js";

it("words are xoshiro128**'s", () => {
  const next = words(Uint32Array.of(1, 2, 3, 4));
  // The authors' xoshiro128starstar.c, from the state 1, 2, 3, 4.
  const expected = [
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ];
  expect(expected.map(() => next() >>> 0)).toEqual(expected);
});

it("wordsOf is another sequence for another seed or stream", () => {
  const firsts = [wordsOf(1, 0), wordsOf(2, 0), wordsOf(1, 1), wordsOf(1, 0)].map((next) =>
    [next(), next()].join(),
  );
  expect(new Set(firsts).size).toBe(3);
  expect(firsts[3]).toBe(firsts[0]);
});
