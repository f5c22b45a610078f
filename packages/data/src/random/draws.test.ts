import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Draws, hashText, integer, permutation, uniform } from "./draws.js";

const options = { seed: 7, epoch: 2, name: "a.png", stream: "crop" } as const;
const first = (changes: object) => {
  const draws = new Draws({ ...options, ...changes });
  return Array.from({ length: 6 }, () => draws.next());
};

describe("Draws", () => {
  it("is a function of seed, epoch, name and stream", () => {
    expect(first({})).toEqual(first({}));
    const others = [
      { seed: 8 },
      { seed: 7 + 2 ** 32 },
      { epoch: 3 },
      { name: "b.png" },
      { stream: "augment" },
    ];
    const all = [{}, ...others].map((changes) => first(changes).join());
    expect(new Set(all).size).toBe(6);
  });

  it("refuses what would draw other numbers in silence", () => {
    const refused: [object, string][] = [
      [{ seed: -1 }, "Draws: seed must be an integer, at least 0, got -1"],
      [{ epoch: 2 ** 32 }, "Draws: epoch must be an integer, at least 0 and less than 4294967296"],
      [{ name: 7 }, "Draws: name must be a string, got 7"],
      [{ stream: "crops" }, "Draws: stream must be one of crop, augment, order, window"],
      [{ sead: 1 }, 'Draws: unknown option "sead"'],
    ];
    for (const [changes, message] of refused) expect(() => first(changes)).toThrow(message);
  });

  it("has the moments of uniform numbers, over draws and over names", () => {
    const draws = new Draws(options);
    const long = Array.from({ length: 20_000 }, () => draws.next());
    const names = Array.from({ length: 20_000 }, (_, i) =>
      new Draws({ ...options, name: `${i}.jpg` }).next(),
    );
    for (const numbers of [long, names]) {
      const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
      const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length;
      // Five standard errors.
      expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / 20_000));
      expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / 20_000));
    }
  });

  it("draws within bounds", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 1000 }), (seed, n) => {
        const draws = new Draws({ ...options, seed });
        expect(integer(draws, n)).toBeLessThan(n);
        expect(uniform(draws, 2, 3)).toBeGreaterThanOrEqual(2);
        expect(uniform(draws, 2, 3)).toBeLessThan(3);
      }),
    );
  });

  it("permutation covers all", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 200 }), (seed, n) => {
        const order = permutation(new Draws({ ...options, seed }), n);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
  });
});

it("hashText tells names apart that differ little", () => {
  const words = new Set<string>();
  for (let i = 0; i < 100_000; i++) words.add(hashText(`0000${i % 10}.tar/${i}`).join());
  expect(words.size).toBe(100_000);
});
