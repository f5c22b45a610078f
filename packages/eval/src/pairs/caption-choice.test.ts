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

it("asks all negatives of a caption", async () => {
  const scores = await captionChoice({
    images: at(0, 0),
    captions: at(10, 10),
    negatives: at(20, 30, 20, 5, 40),
    captionOf: [0, 0, 1, 1, 1],
  });
  expect(scores.examples.map(({ correct }) => correct)).toEqual([true, false]);
  expect(scores.examples.map(({ negatives }) => negatives.length)).toEqual([2, 3]);
  expect(scores.macroAccuracy).toBe(scores.accuracy);
});

it("asks several captions of one image", async () => {
  await expectNoLeaks(async () => {
    const { examples } = await captionChoice({
      images: at(0, 50),
      captions: at(10, 45, 40),
      negatives: at(20, 90, 48),
      imageOf: [0, 1, 1],
    });
    expect(examples.map(({ correct }) => correct)).toEqual([true, true, false]);
    expectClose(
      [examples[2].caption, ...examples[2].negatives],
      [10, 2].map((a) => Math.cos((a * Math.PI) / 180)),
      {
        absolute: 1e-6,
      },
    );
  });
});

it("refuses captions without an image or a negative", async () => {
  const two = { images: at(0, 1), captions: at(0, 1) };
  await expectNoLeaks(async () => {
    const refuse = (options: object, message: RegExp) =>
      expect(captionChoice({ ...two, negatives: at(1, 2), ...options })).rejects.toThrow(message);
    await refuse({ negatives: at(1) }, /captionOf must hold the caption of each of 1 negatives, got none/);
    await refuse({ captionOf: [0, 0] }, /caption 1 has no negative/);
    await refuse({ captionOf: [0, 2] }, /captionOf\[1\] must be an integer/);
    await refuse({ captions: at(0, 1, 2) }, /imageOf must hold the image of each of 3 captions, got none/);
    await refuse({ imageOf: [0] }, /imageOf must hold the image of each of 2 captions, got 1/);
    await refuse({ imageOf: [0, -1] }, /imageOf\[1\] must be an integer/);
    await refuse({ categories: ["a"] }, /categories must name one for each of 2/);
    await refuse({ categories: ["a", 3] }, /captionChoice: categories\[1\] must be a text, got 3/);
  });
});
