import { expect, it } from "vitest";
import type { Evaluation } from "./evaluation.js";
import { checkSameForm } from "./evaluation-form.js";

const whole: Evaluation = {
  figures: { means: { P: 0.5, D: 0.4 } },
  patterns: [
    { measure: "P image", pattern: "Text", accuracy: 0.25, count: 4 },
    { measure: "P image", pattern: "Colour", accuracy: 0.5, count: 4 },
  ],
  features: {
    values: [
      [1, 2],
      [3, 4],
    ],
    labels: ["a", "b"],
  },
};
const compare = (changed: Partial<Evaluation>) =>
  checkSameForm(
    { job: "dcr-seed0", evaluation: whole },
    { job: "original-seed0", evaluation: { ...whole, ...changed } },
  );

it("takes other values of the same form, and figures in another order", () => {
  expect(() => compare({ figures: { means: { D: 0, P: 1 } } })).not.toThrow();
  expect(() =>
    compare({
      features: {
        values: [
          [0, 0],
          [0, 0],
        ],
        labels: ["c", "d"],
      },
    }),
  ).not.toThrow();
});

it.each<[Partial<Evaluation>, string]>([
  [{ figures: {} }, "dcr-seed0 has the figure means: P, and that of original-seed0 has not"],
  [
    { figures: { ...whole.figures, own: { x: 1 } } },
    "original-seed0 has the figure own: x, and that of dcr-seed0 has not",
  ],
  [
    { patterns: whole.patterns!.slice(0, 1) },
    "dcr-seed0 has pattern 2, P image: Colour of 4 pairs, and that of original-seed0",
  ],
  [{ patterns: [...whole.patterns!].reverse() }, "dcr-seed0 has pattern 1, P image: Text of 4 pairs, and"],
  [
    { features: { values: [[1, 2]], labels: ["a"] } },
    "dcr-seed0 has features of 2 x 2, and that of original-seed0",
  ],
  [{ features: undefined }, "dcr-seed0 has features of 2 x 2, and that of original-seed0 has not"],
])("names what one lacks: %j", (changed, message) => {
  expect(() => compare(changed)).toThrow(`the evaluation of ${message}`);
});
