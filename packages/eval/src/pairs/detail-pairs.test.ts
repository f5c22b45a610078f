import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks, normalArray } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { imageImagePairs, textImagePairs } from "./detail-pairs.js";

const at = (...degrees: number[]) =>
  degrees.map((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]);

it("textImagePairs count by MMVP-VLM's rule: both statements must find their image", async () => {
  const [a, b] = [at(0, 0, 0), at(90, 90, 0)];
  // Pair 1 right; in pair 2 both statements point at a; pair 3's images are equal, a tie.
  const [saysA, saysB] = [at(10, 10, 10), at(80, 20, 80)];
  await expectNoLeaks(async () => {
    const scores = await textImagePairs(a, b, saysA, saysB, ["x", "x", "y"]);
    expect(scores.pairs.map(({ correct }) => correct)).toEqual([true, false, false]);
    expect(scores.byPattern).toEqual({ x: { accuracy: 0.5, count: 2 }, y: { accuracy: 0, count: 1 } });
    expect(scores.accuracy).toBeCloseTo(1 / 3, 12);
    expect(scores.interval[0]).toBeGreaterThan(0.06);
    expect(scores.interval[1]).toBeLessThan(0.8);
  });
});

it("textImagePairs call images that differ in length alone a tie", async () => {
  const a = [[0.3, -1.7, 2.9]];
  const says = [[1, 0.4, 0.7]];
  for (const length of [3, 0.1, 7, 1e-20]) {
    const b = a.map((row) => row.map((value) => value * length));
    for (const [one, two] of [
      [a, b],
      [b, a],
    ]) {
      expect((await textImagePairs(one, two, says, [[-1, -0.4, -0.7]], ["x"])).accuracy).toBe(0);
    }
  }
});

it("imageImagePairs fail on each of the four comparisons, and on a tie in any", async () => {
  // By column: right; a's twin nearer to b; b's nearer to a; a nearer to b's twin; b nearer to a's; two ties.
  const a = at(0, 0, 0, 0, -40, 0, 0);
  const b = at(90, 90, 90, -40, 0, 90, 90);
  const twinA = at(10, 50, 5, 30, -25, 45, 10);
  const twinB = at(80, 95, 40, -25, 30, 100, 45);
  const patterns = Array<string>(7).fill("x");
  await expectNoLeaks(async () => {
    const { pairs, accuracy, count } = await imageImagePairs(a, b, twinA, twinB, patterns);
    expect(pairs.map(({ correct }) => correct)).toEqual([true, false, false, false, false, false, false]);
    expect(accuracy).toBeCloseTo(1 / 7, 12);
    expect(count).toBe(7);
    const cosines = [10, 80, 80, 10].map((angle) => Math.cos((angle * Math.PI) / 180));
    expectClose(pairs[0].similarities, cosines, { absolute: 1e-6 });
    // The images alone: columns 4 and 5 fail there.
    const twoWay = await imageImagePairs(a, b, twinA, twinB, patterns, { rule: "two-way" });
    expect(twoWay.pairs.map(({ correct }) => correct)).toEqual([true, true, true, false, false, true, true]);
  });
});

it("counts a pair by the matching of larger sum, whatever one side finds similar to everything", async () => {
  // Pair 1 right by either rule. In pair 2 both images are nearer to a's twin, but a by more. In pair 3 the wrong matching is nearer, and pair 4
  // is a tie.
  const [a, b] = [at(0, 0, 0, 0), at(90, 30, 30, 90)];
  const [one, two] = [at(10, -5, 40, 45), at(80, 70, 10, 45)];
  const patterns = Array<string>(4).fill("x");
  const cos = (angle: number) => Math.cos((angle * Math.PI) / 180);
  expect(cos(5) + cos(40)).toBeGreaterThan(cos(70) + cos(35));
  for (const pairs of [imageImagePairs, textImagePairs]) {
    const matching = await pairs(a, b, one, two, patterns, { rule: "matching" });
    expect(matching.pairs.map(({ correct }) => correct)).toEqual([true, true, false, false]);
    const strict = await pairs(a, b, one, two, patterns);
    expect(strict.pairs[1].correct).toBe(pairs === textImagePairs);
  }
});

it("gives independent features a chance of one half by the rule matching, one quarter by two-way and one sixth by strict", async () => {
  const [a, b, one, two] = [1, 2, 3, 4].map((seed) => ({
    data: normalArray(seed, 4000 * 32),
    shape: [4000, 32],
  }));
  const patterns = Array<string>(4000).fill("x");
  for (const [rule, chance] of [
    ["matching", 1 / 2],
    ["two-way", 1 / 4],
    // Of the six ways to choose the two largest of four similarities, one is right.
    ["strict", 1 / 6],
  ] as const) {
    const { accuracy } = await imageImagePairs(a, b, one, two, patterns, { rule });
    // Four standard errors.
    expect(Math.abs(accuracy - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / 4000));
  }
});

it("refuses what is no set of pairs", async () => {
  const one = at(0);
  await expectNoLeaks(async () => {
    await expect(textImagePairs(one, one, one, at(0, 1), ["x"])).rejects.toThrow(
      "textImagePairs: statementsB must have 1 rows, one for each pattern, got [2,2]",
    );
    await expect(textImagePairs(one, one, one, one, [])).rejects.toThrow(
      /patterns must be a name for each of at least one pair/,
    );
    await expect(textImagePairs(one, one, one, [[Number.NaN, 1]], ["x"])).rejects.toThrow(
      "textImagePairs: statementsB must be finite, row 0 is not",
    );
    await expect(imageImagePairs(one, one, one, one, ["x"], { rule: "loose" as never })).rejects.toThrow(
      'imageImagePairs: rule must be one of strict, two-way, matching, got "loose"',
    );
  });
});
