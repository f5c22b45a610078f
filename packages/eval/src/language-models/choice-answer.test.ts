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
  ["(B). A dog", "B"],
  ["B: a dog, and no cat", "B"],
  ["B, A dog", undefined],
  ["(B) Either is a dog", "B"],
  ["The answer is (b), since (A) shows a cat", "B"],
  ["The answer is B, a dog", "B"],
  ["The answer is B because A and C are cats", "B"],
  ["B. A dog of U.A. Smith", "B"],
  ["(B) The answer is B.", "B"],
  ["Either (A) or (B)", undefined],
  ["(A) or (B)", undefined],
  ["A. or B.", undefined],
  ["A) and B)", undefined],
  ["(A), (B)", undefined],
  ["A, B", undefined],
  ["A/B", undefined],
  ["A. A cat B. A dog", undefined],
  ["A. A cat\nB. A dog", undefined],
  ["A or (B)", undefined],
  ["The answer is (A) or (B).", undefined],
  ["The answer is B or A.", undefined],
  ["The answer is B and A", undefined],
  ["Answer: A, B", undefined],
  ["(A) The answer is B.", undefined],
  ["C. Not (A)", undefined],
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
