import { fileURLToPath } from "node:url";
import "@tensorflow/tfjs-backend-cpu";
import { expect, it } from "vitest";
import { CLIPTokenizer } from "../clip/clip-tokenizer.js";
import { SiglipTokenizer } from "../siglip/siglip-tokenizer.js";
import { withUnicodeSpaces } from "./white-space.js";

const folder = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const clip = await CLIPTokenizer.fromPretrained(folder("clip-tokenizer"));
const siglip = await SiglipTokenizer.fromPretrained(folder("siglip-tokenizer"));
const siglip2 = await SiglipTokenizer.fromPretrained(folder("siglip2-tokenizer"));
const ids = (tokenizer: CLIPTokenizer | SiglipTokenizer, text: string) =>
  Array.from(tokenizer.encodeRows([text], { padding: "longest" })[0]!);

it.each<[string, CLIPTokenizer | SiglipTokenizer, number[]]>([
  ["\uFEFFa", siglip, [3, 2, 131, 1]],
  ["a\uFEFF", siglip, [68, 2, 1]],
  ["\uFEFF", siglip, [3, 2, 1]],
  ["</s>\uFEFFa", siglip, [1, 3, 2, 131, 1]],
  ["</s>\uFEFFa", clip, [740, 27, 270, 338, 29, 171, 119, 379, 320, 741]],
  ["a\uFEFF</s>", clip, [740, 320, 171, 119, 123, 27, 270, 338, 285, 741]],
])("takes a byte order mark for a sign, as the tokenizers library does: %j", (text, tokenizer, expected) => {
  expect(ids(tokenizer, text)).toEqual(expected);
});

it("strips U+0085, which is white space in Unicode", () => {
  expect(ids(siglip, "\x85a\x85")).toEqual(ids(siglip, "a"));
});

it("keeps a class a class, and escaped brackets", () => {
  expect(withUnicodeSpaces("[^\\s\\]]\\s\\[\\S")).toMatch(
    /^\[\^\\t.*\\u3000\\\]\]\[\\t.*\\u3000\]\\\[\[\^\\t/,
  );
});

it.each([clip, siglip, siglip2])("refuses half of a surrogate pair, as transformers does", (tokenizer) => {
  for (const text of ["\uD800", "a\uDC00b", "\uDE00\uD83D"]) {
    expect(() => tokenizer.tokenize(text)).toThrow(
      /^\w+Tokenizer: a text has half of a surrogate pair, which is no character/,
    );
  }
  expect(tokenizer.tokenize("\uD83D\uDE00").length).toBeGreaterThan(0);
});

it("reads NUL, only special tokens, and 100,000 characters", () => {
  expect(ids(clip, "\0")).toHaveLength(3);
  expect(ids(clip, "<|startoftext|><|endoftext|>")).toEqual([740, 740, 741, 741]);
  expect(ids(siglip, "")).toEqual([1]);
  for (const tokenizer of [clip, siglip, siglip2]) {
    expect(tokenizer.tokenize("a".repeat(1e5)).length).toBeGreaterThan(1000);
  }
});
