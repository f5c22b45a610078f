import { describe, expect, it } from "vitest";
import { wholeTokenSplitter } from "./whole-tokens.js";

const token = (id: number, content: string, strip: { lstrip?: boolean; rstrip?: boolean } = {}) => ({
  id,
  content,
  special: false,
  normalized: false,
  lstrip: false,
  rstrip: false,
  ...strip,
});

describe("wholeTokenSplitter", () => {
  it("finds the leftmost, and of those the longest", () => {
    const split = wholeTokenSplitter([token(1, "<a>"), token(2, "<a><b>"), token(3, "b>")]);
    const shown = (text: string) => split(text).map((part) => (typeof part === "string" ? part : part.id));
    expect(shown("x<a>y <a><b><a>b>")).toEqual(["x", 1, "y ", 2, 1, 3]);
    expect(shown("<a")).toEqual(["<a"]);
    expect(shown("")).toEqual([]);
  });

  it("drops white space where a token says so", () => {
    const split = wholeTokenSplitter([token(1, "<l>", { lstrip: true }), token(2, "<r>", { rstrip: true })]);
    expect(split("a  <l>  b  <r>  c").map((part) => (typeof part === "string" ? part : part.id))).toEqual([
      "a",
      1,
      "  b  ",
      2,
      "c",
    ]);
  });

  it("finds nothing where there are no tokens", () => {
    expect(wholeTokenSplitter([])("a b")).toEqual(["a b"]);
  });
});
