import { readFileSync } from "node:fs";
import { recordParity } from "@dcr-js/testing";
import { expect, it } from "vitest";
import {
  cvBenchScores,
  mmvpScores,
  naturalBenchScores,
  popeScores,
  scienceQAScores,
} from "./benchmark-scores.js";
import { popeAnswer } from "./published-answers.js";

it("MMVP counts pairs", () => {
  const { pairs, questions } = mmvpScores([true, true, true, false, false, false]);
  expect([pairs.accuracy, pairs.count, questions.accuracy, questions.count]).toEqual([1 / 3, 3, 0.5, 6]);
  expect(() => mmvpScores([true])).toThrow(/2 outcomes for each of at least one group/);
  expect(() => mmvpScores([true, 1 as never])).toThrow(/right\[1\] must be true or false, got 1/);
});

it("NaturalBench counts questions, images and groups", () => {
  // The first group has question 0 right on both images and question 1 on image 0 alone; the second is right.
  const scores = naturalBenchScores([true, true, true, false, true, true, true, true]);
  expect(scores.answers.accuracy).toBe(7 / 8);
  expect(scores.questions.accuracy).toBe(3 / 4);
  expect(scores.images.accuracy).toBe(3 / 4);
  expect(scores.groups.accuracy).toBe(1 / 2);
  // Question 0 right on image 0 and question 1 on image 1: no question and no image is right on both.
  const crossed = naturalBenchScores([true, false, false, true]);
  expect([crossed.questions.accuracy, crossed.images.accuracy]).toEqual([0, 0]);
  // Image 0 right with both questions.
  const image = naturalBenchScores([true, false, true, false]);
  expect([image.questions.accuracy, image.images.accuracy]).toEqual([0, 1 / 2]);
});

it("CV-Bench averages sources, then dimensions", () => {
  const of = (source: string, ...right: boolean[]) => right.map((one) => ({ right: one, source }));
  const results = [
    ...of("ADE20K", true, false),
    ...of("COCO", true),
    ...of("Omni3D", true, false, false, false),
  ];
  expect(cvBenchScores(results)).toMatchObject({ accuracy2D: 0.75, accuracy3D: 0.25, overall: 0.5 });
  expect(() => cvBenchScores(of("COCO", true))).toThrow(/must hold answers of ADE20K, got none/);
  for (const right of [1, "false", undefined]) {
    expect(() => cvBenchScores([...results, { right: right as never, source: "COCO" }])).toThrow(
      "cvBenchScores: results[7].right must be a boolean, got",
    );
  }
  expect(() => cvBenchScores([null as never])).toThrow(
    "cvBenchScores: results[0] must be an object, got null",
  );
  expect(() => cvBenchScores(of("VOC", true))).toThrow(
    /source must be one of ADE20K, COCO, Omni3D, got "VOC"/,
  );
});

it("POPE has accuracy, precision, recall, F1 and the share of yes", () => {
  const of = (answer: "yes" | "no", label: "yes" | "no", count: number) =>
    Array.from({ length: count }, () => ({ answer, label }));
  const scores = popeScores([
    ...of("yes", "yes", 3),
    ...of("yes", "no", 1),
    ...of("no", "yes", 2),
    ...of("no", "no", 4),
  ]);
  expect(scores.accuracy).toBeCloseTo(0.7, 12);
  expect(scores.precision).toBeCloseTo(3 / 4, 12);
  expect(scores.recall).toBeCloseTo(3 / 5, 12);
  expect(scores.f1).toBeCloseTo(2 / (4 / 3 + 5 / 3), 12);
  expect(scores.yesRatio).toBeCloseTo(0.4, 12);
  expect(() => popeScores([])).toThrow(/at least one answer/);
  expect(() => popeScores([{ answer: "maybe" as never, label: "yes" }])).toThrow(
    /results\[0\].answer must be yes or no, got "maybe"/,
  );
});

it("ScienceQA has the share of all and of the questions with an image", () => {
  const of = (right: boolean, hasImage: boolean) => ({ right, hasImage });
  const scores = scienceQAScores([of(true, true), of(false, true), of(true, false), of(true, false)]);
  expect([scores.all.accuracy, scores.all.count]).toEqual([0.75, 4]);
  expect([scores.image.accuracy, scores.image.count]).toEqual([0.5, 2]);
  expect(() => scienceQAScores([of(true, true), of(false, "false" as never)])).toThrow(
    'scienceQAScores: results[1].hasImage must be a boolean, got "false"',
  );
  expect(() => scienceQAScores([of(true, true), of(1 as never, true)])).toThrow(
    "scienceQAScores: right[1] must be true or false, got 1",
  );
  expect(() => scienceQAScores([of(true, false)])).toThrow(/scienceQAScores: with an image: right must hold/);
});

it("POPE's figures are its published script's", () => {
  const { answers, popeFigures } = JSON.parse(
    readFileSync(new URL("../../fixtures/vlm-answers.json", import.meta.url), "utf8"),
  ) as { answers: string[]; popeFigures: Record<string, number> };
  const scores = popeScores(answers.map((answer) => ({ answer: popeAnswer(answer), label: "yes" })));
  const { acc, precision, recall, f1, yes_ratio: yesRatio } = popeFigures;
  for (const [name, expected] of Object.entries({ accuracy: acc, precision, recall, f1, yesRatio })) {
    const value = Math.abs(scores[name as "f1"] - expected);
    expect(value).toBeLessThan(1e-14);
    recordParity({ name: "popeScores", peer: "POPE's script", value });
  }
});
