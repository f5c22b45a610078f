import { expect, it } from "vitest";
import { checkFloat, largestFloat } from "./check-float.js";

it("largestFloat is the last float32 before Infinity", () => {
  expect(Math.fround(largestFloat)).toBe(largestFloat);
  expect(Math.fround(largestFloat * (1 + 2 ** -24))).toBe(Number.POSITIVE_INFINITY);
});

it("takes numbers that float32 has, and refuses others by name", () => {
  for (const number of [0, 1, -2.5, largestFloat, -largestFloat, 2 ** -126]) {
    expect(checkFloat("f: x", number)).toBe(number);
  }
  for (const number of [1e39, -1e39, 1e-39, -1e-300]) {
    expect(() => checkFloat("f: x", number)).toThrow(
      `f: x must be a float32, 0 or 1.2e-38 to 3.4e38 in size, got ${number}`,
    );
  }
  expect(() => checkFloat("f: x", 2, { max: 1 })).toThrow("f: x must be a finite number, at most 1, got 2");
});
