import { describe, expect, it } from "vitest";
import { checkPattern } from "./check-pattern.js";

const check = (pattern: string) => () => checkPattern("tokenizer.json: normalizer", pattern);

describe("checkPattern", () => {
  it.each([
    // Of CLIP, of SigLIP, of sentencepiece's conversion, of Gemma.
    "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
    "[!\\\"\\#\\$\\%\\&\\'\\(\\)\\*\\+\\,\\-\\.\\/\\:\\;\\<\\=\\>\\?\\@\\[\\\\\\]\\^\\_\\`\\{\\|\\}\\~]",
    "\\s+",
    "\\A +| +\\z",
    " {2,}",
    "(?:a|b)c",
    "▁+$",
  ])("accepts %s", (pattern) => {
    expect(check(pattern)).not.toThrow();
  });

  it.each([
    ["(a+)+b", "a group is repeated"],
    ["(a|a)*b", "a group is repeated"],
    ["(?:a{1,30}){1,30}", "a group is repeated"],
    ["a*a*a*b", "an alternative repeats more than 2 times without bound"],
    ["a{0,99}a{0,99}a{0,99}b", "an alternative repeats more than 2 times without bound"],
    ["(?=a+)b", "a group looks ahead or behind, or sets options"],
    ["(a)\\1", "the expression refers back to a group"],
    ["a".repeat(1001), "the expression has 1001 characters of at most 1000"],
  ])("refuses %s", (pattern, why) => {
    expect(check(pattern)).toThrow(`tokenizer.json: normalizer: ${why}, which could take for ever; got "`);
  });
});
