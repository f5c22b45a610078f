import "@tensorflow/tfjs-backend-cpu";
import { expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { zeroShotAccuracy, zeroShotScores } from "./zero-shot-accuracy.js";

const axes = (n: number) =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Number(i === j)));

it("classifies by the nearest class text, ties against it", async () => {
  // The fourth lies between both, the fifth has no direction: neither counts for any class.
  const images = [
    [2, 1],
    [1, 2],
    [1, 3],
    [1, 1],
    [0, 0],
  ];
  await expectNoLeaks(async () => {
    expect(await zeroShotAccuracy(images, axes(2), [0, 1, 0, 0, 1])).toBeCloseTo(2 / 5, 12);
  });
});

it("does not let rounding decide between parallel class texts", async () => {
  const classes = [1, 3, 7, 0.1].map((length) => [0.3 * length, -1.7 * length, 0.9 * length]);
  for (const label of [0, 1, 2, 3]) expect(await zeroShotAccuracy([[1, 0.1, 0.5]], classes, [label])).toBe(0);
});

it("counts top-5 and the mean per class", async () => {
  // Image i is most similar to class 0, then 1, ...: only class 0 is right at 1, classes 0 to 4 within 5.
  const image = [7, 6, 5, 4, 3, 2, 1];
  const labels = [0, 0, 0, 4, 5];
  const scores = await zeroShotScores(
    labels.map(() => image),
    axes(7),
    labels,
  );
  expect(scores.top1).toBeCloseTo(3 / 5, 12);
  expect(scores.top5).toBeCloseTo(4 / 5, 12);
  expect(scores.meanPerClass).toBeCloseTo(1 / 3, 12);
  expect([...scores.perClass]).toEqual([1, Number.NaN, Number.NaN, Number.NaN, 0, 0, Number.NaN]);
  expect([...scores.ranks]).toEqual([0, 0, 0, 4, 5]);
  expect([...scores.predictions]).toEqual([0, 0, 0, 0, 0]);
});

it("refuses labels that are no class", async () => {
  await expectNoLeaks(async () => {
    await expect(zeroShotAccuracy(axes(2), axes(2), [0])).rejects.toThrow(
      /zeroShotAccuracy: labels must hold 2 labels.*got 1/,
    );
    await expect(zeroShotAccuracy(axes(2), axes(2), [0, 2])).rejects.toThrow(
      /labels\[1\] must be an integer, at least 0 and at most 1, got 2/,
    );
    await expect(zeroShotScores([], axes(2), [])).rejects.toThrow(
      /zeroShotScores: images must be \[n, dim\]/,
    );
  });
});
