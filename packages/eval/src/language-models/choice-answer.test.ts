import { expect, it } from "vitest";
import { choiceAnswer } from "./choice-answer.js";

it.each([
  ["B", "B"],
  ["b", "B"],
  ["(B)", "B"],
  ["B.", "B"],
  ["B. A dog", "B"],
  ["(B) A dog", "B"],
  ["The answer is B.", "B"],
  ["The answer is (b), since the dog looks left", "B"],
  ["Answer: B", "B"],
  ["The answer is B because of the tail", "B"],
  ["I think (B) fits", "B"],
  ["Either (A) or (B)", undefined],
  ["A dog", undefined],
  ["C", undefined],
  ["", undefined],
  ["The answer is a dog", undefined],
])("choiceAnswer reads %j as %j", (answer, expected) => {
  expect(choiceAnswer(answer, ["A", "B"])).toBe(expected);
});

it("refuses what is no answer", () => {
  expect(() => choiceAnswer(undefined as never, ["A"])).toThrow(
    "choiceAnswer: answer must be a text, got undefined",
  );
  expect(() => choiceAnswer("A", ["AB"])).toThrow(/options must be letters/);
});
