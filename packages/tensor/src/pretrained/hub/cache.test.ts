import { describe, expect, it } from "vitest";
import { isCommit, isInside } from "./cache.js";

describe("isInside", () => {
  it("takes paths below a folder only", () => {
    for (const path of ["a", "a/b.json", "refs/pr/1", "a..b", "..a"])
      expect([path, isInside(path)]).toEqual([path, true]);
    for (const path of ["", ".", "..", "../a", "a/../b", "/a", "a//b", "a/", "a\\b", "C:/a", "a\0b"]) {
      expect([path, isInside(path)]).toEqual([path, false]);
    }
  });
});

describe("isCommit", () => {
  it("takes 40 hexadecimal digits only", () => {
    expect(
      ["0a".repeat(20), "0a".repeat(19), "main", `${"0a".repeat(20)}\n`, "0A".repeat(20)].map(isCommit),
    ).toEqual([true, false, false, false, false]);
  });
});
