import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import { expect, it } from "vitest";
import { captionChoice } from "./caption-choice.js";

const at = (...degrees: number[]) =>
  degrees.map((angle) => [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)]);

it("is right where the caption is nearer than its negative, by category", async () => {
  // Right, wrong, a tie, right.
  await expectNoLeaks(async () => {
    const scores = await captionChoice({
      images: at(0, 0, 0, 50),
      captions: at(10, 30, 20, 45),
      negatives: at(20, 10, -20, 90),
      categories: ["swap", "swap", "swap", "add"],
    });
    expect(scores.examples.map(({ correct }) => correct)).toEqual([true, false, false, true]);
    expect(scores.accuracy).toBe(0.5);
    expect(scores.byCategory).toEqual({
      swap: { accuracy: 1 / 3, count: 3 },
      add: { accuracy: 1, count: 1 },
    });
    expect(scores.macroAccuracy).toBeCloseTo(2 / 3, 12);
    expect(scores.count).toBe(4);
    expectClose(
      [scores.examples[0].caption, ...scores.examples[0].negatives],
      [10, 20].map((a) => Math.cos((a * Math.PI) / 180)),
      {
        absolute: 1e-6,
      },
    );
  });
});

it("asks all negatives of an image", async () => {
  const scores = await captionChoice({
    images: at(0, 0),
    captions: at(10, 10),
    negatives: at(20, 30, 20, 5, 40),
    imageOf: [0, 0, 1, 1, 1],
  });
  expect(scores.examples.map(({ correct }) => correct)).toEqual([true, false]);
  expect(scores.examples.map(({ negatives }) => negatives.length)).toEqual([2, 3]);
  expect(scores.macroAccuracy).toBe(scores.accuracy);
});

it("refuses captions without an image, and images without a negative", async () => {
  const two = { images: at(0, 1), captions: at(0, 1) };
  await expectNoLeaks(async () => {
    await expect(captionChoice({ ...two, negatives: at(1) })).rejects.toThrow(
      /imageOf must hold an image for each of 1 negatives, got none/,
    );
    await expect(captionChoice({ ...two, negatives: at(1, 2), imageOf: [0, 0] })).rejects.toThrow(
      /image 1 has no negative/,
    );
    await expect(captionChoice({ ...two, negatives: at(1, 2), imageOf: [0, 2] })).rejects.toThrow(
      /imageOf\[1\] must be an integer/,
    );
    await expect(captionChoice({ ...two, captions: at(0), negatives: at(1, 2) })).rejects.toThrow(
      /captions must have 2 rows/,
    );
    await expect(captionChoice({ ...two, negatives: at(1, 2), categories: ["a"] })).rejects.toThrow(
      /categories must name one for each of 2/,
    );
  });
});
