import { expect, it } from "vitest";
import { firstRepeated } from "./first-repeated.js";

it("firstRepeated finds the first text that was there before", () => {
  expect(firstRepeated(["a", "b", "c", "b", "a"])).toBe("b");
  expect(firstRepeated([])).toBeUndefined();
  expect(firstRepeated(["", ""])).toBe("");
  // A look from the beginning for each would take minutes.
  const many = Array.from({ length: 400_000 }, (_, i) => `shards/${i}.tar`);
  expect(firstRepeated(many)).toBeUndefined();
  expect(firstRepeated([...many, many[3]!])).toBe("shards/3.tar");
});
