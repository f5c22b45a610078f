import { describe, expect, it } from "vitest";
import { firstGroup, fullMatch } from "./pattern.js";

describe("fullMatch", () => {
  it("matches whole texts, as Python's re.fullmatch does", () => {
    const test = fullMatch("f: x", ".*vision.*\\.(q_proj|fc1)");
    expect(["vision_model.layers.0.q_proj", "vision.fc1", "text.fc1", "vision.fc1.lora_A"].map(test)).toEqual(
      [true, true, false, false],
    );
  });

  // A backtracking engine needs 2^n steps for this one, OWASP's example of a regular expression that denies service.
  it("answers at once where backtracking would not end", () => {
    expect(fullMatch("f: x", "(a+)+b")("a".repeat(5000))).toBe(false);
  });

  it("names patterns that are none, or are too long", () => {
    expect(() => fullMatch("f: x", "(?!text).*")).toThrow(
      /^f: x must be a regular expression of RE2's syntax .*got "\(\?!text\)\.\*"/,
    );
    expect(() => fullMatch("f: x", "(")).toThrow(/f: x must be a regular expression/);
    expect(() => fullMatch("f: x", "a".repeat(4097))).toThrow(
      "f: x must have at most 4096 characters, got 4097",
    );
    expect(() => fullMatch("f: x", "((a{0,1000}){0,1000}){0,1000}")).toThrow(/too large/);
  });
});

it("firstGroup gives the first group of a match at the start", () => {
  const index = firstGroup("f: x", ".*?\\.[^.]*\\.(\\d+)\\.");
  expect([index("model.layers.3.experts.0.fc1"), index("model.fc1")]).toEqual(["3", undefined]);
});
