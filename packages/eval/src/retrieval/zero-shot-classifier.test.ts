import "@tensorflow/tfjs-backend-cpu";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { zeroShotClassifier } from "./zero-shot-classifier.js";
import { zeroShotTemplates } from "./zero-shot-templates.js";

it("normalises each template's features, averages them, and normalises the mean", async () => {
  const asked: string[][] = [];
  // (3, 4) and (0, 9): units (0.6, 0.8) and (0, 1), mean (0.3, 0.9).
  const encodeText = (texts: string[]) => {
    asked.push(texts);
    return tf.tensor2d([
      [3, 4],
      [0, 9],
    ]);
  };
  await expectNoLeaks(async () => {
    const classTexts = await zeroShotClassifier(encodeText, {
      classNames: ["cat", "$& dog"],
      templates: ["a {}.", "the {}!"],
    });
    expect(asked).toEqual([
      ["a cat.", "the cat!"],
      ["a $& dog.", "the $& dog!"],
    ]);
    const norm = Math.hypot(0.3, 0.9);
    expectClose(
      await classTexts.data(),
      [0.3, 0.9, 0.3, 0.9].map((value) => value / norm),
      { absolute: 1e-6 },
    );
    classTexts.dispose();
  });
});

it("takes features in any form, one text for each class by default", async () => {
  await expectNoLeaks(async () => {
    const classTexts = await zeroShotClassifier(async (texts) => texts.map((text) => [text.length, 1]), {
      classNames: ["a", "bb"],
    });
    const lengths = ["a photo of a a.", "a photo of a bb."].map(({ length }) => length);
    expectClose(
      await classTexts.data(),
      lengths.flatMap((length) => [length / Math.hypot(length, 1), 1 / Math.hypot(length, 1)]),
      { absolute: 1e-6 },
    );
    classTexts.dispose();
  });
});

it("refuses templates and features that do not fit", async () => {
  await expectNoLeaks(async () => {
    const refuse = (options: object, message: RegExp, rows = [[1]]) =>
      expect(zeroShotClassifier(() => tf.tensor2d(rows), { classNames: ["a"], ...options })).rejects.toThrow(
        message,
      );
    await refuse({ templates: ["a photo"] }, /templates must have one \{\} each, got "a photo"/);
    await refuse({ templates: ["{} {}"] }, /templates must have one/);
    await refuse({ templates: [] }, /templates must be a list of at least one text/);
    await refuse({ classNames: ["a", ""] }, /classNames\[1\] must be a text, got ""/);
    await refuse({}, /encodeText must return 1 rows, one for each text, got \[2,1\]/, [[1], [2]]);
    await refuse({}, /encodeText's features must be finite, row 0 is not/, [[Number.NaN]]);
  });
});

it("has CLIP's templates, as many as were published and all different", () => {
  const counts = {
    imagenet: 80,
    cifar10: 18,
    cifar100: 18,
    caltech101: 34,
    dtd: 8,
    eurosat: 3,
    fgvcAircraft: 2,
    flowers102: 1,
    food101: 1,
    mnist: 1,
    oxfordPets: 1,
    stanfordCars: 8,
    stl10: 2,
    sun397: 2,
  };
  expect(Object.keys(zeroShotTemplates).sort()).toEqual(Object.keys(counts).sort());
  for (const [name, templates] of Object.entries(zeroShotTemplates)) {
    expect(new Set(templates).size).toBe(counts[name as keyof typeof counts]);
    expect(templates).toHaveLength(counts[name as keyof typeof counts]);
    for (const template of templates) expect(template.split("{}")).toHaveLength(2);
    for (const template of templates) expect(template).not.toContain("@");
  }
});

it("refuses two classes of one name, which would tie and never be right", async () => {
  const encode = async (texts: string[]) => tf.ones([texts.length, 2]) as tf.Tensor2D;
  await expect(zeroShotClassifier(encode, { classNames: ["crane", "dog", "crane"] })).rejects.toThrow(
    'zeroShotClassifier: classNames[2] must differ from classNames[0], since equal texts tie, got "crane" twice',
  );
});
