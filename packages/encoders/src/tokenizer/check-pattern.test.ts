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
    // Two repetitions, and bounded ones beside them; in each alternative anew, but not within a group.
    "a+b*c?d{3}e{2,64}",
    "a+b+|c+d+|e{64}",
    "a++b+?",
    // A sign at the start or after a backslash, and in a class, repeats nothing.
    "+a*b*",
    "\\+\\*\\?a*b*",
    "[a+*]+[[b]*+]+c",
    "[\\]+*?]a*b*",
    "[^]*",
    "\\p{L}+\\P{N}+",
    "(?:a+)(?:b+)",
    "\\0",
    // Within a class a number is a character.
    "\\d[\\1]",
    // Bounds in figures: 64 is the most, and a bound of 0 is one.
    "a{64}b{0,64}c{1,}d+",
    "a".repeat(1000),
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
    ["(a)?", "a group is repeated"],
    ["(a){2}", "a group is repeated"],
    ["(a)+", "a group is repeated"],
    ["a+b+c+", "an alternative repeats more than 2 times without bound"],
    ["a{2,}b{,}c{65}", "an alternative repeats more than 2 times without bound"],
    ["a{1,65}b{65}c{65,}", "an alternative repeats more than 2 times without bound"],
    ["x|a*b*c*", "an alternative repeats more than 2 times without bound"],
    ["(?:a+|b+|c+)", "an alternative repeats more than 2 times without bound"],
    ["[ab]+[cd]+[ef]+", "an alternative repeats more than 2 times without bound"],
    ["[[a]]*[\\]]*[^b]*", "an alternative repeats more than 2 times without bound"],
    ["\\p{L}*\\p{N}*\\p{P}*", "an alternative repeats more than 2 times without bound"],
    ["a+?b*+c+", "an alternative repeats more than 2 times without bound"],
    ["(?!a)", "a group looks ahead or behind, or sets options"],
    ["(?<=a)b", "a group looks ahead or behind, or sets options"],
    ["(?i)a", "a group looks ahead or behind, or sets options"],
    ["(?<n>a)\\k<n>", "a group looks ahead or behind, or sets options"],
    ["a\\k<n>", "the expression refers back to a group"],
    ["a\\1", "the expression refers back to a group"],
    ["a\\9", "the expression refers back to a group"],
    ["\\s*a*a*\\p{L}", "an alternative repeats more than 2 times without bound"],
    ["a*(?:b|c)d*e*", "an alternative repeats more than 2 times without bound"],
    ["a".repeat(1001), "the expression has 1001 characters of at most 1000"],
  ])("refuses %s", (pattern, why) => {
    expect(check(pattern)).toThrow(`tokenizer.json: normalizer: ${why}, which could take for ever; got "`);
  });
});
