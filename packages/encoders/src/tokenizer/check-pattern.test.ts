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
    // One repetition without bound at the end, and bounded ones; in each alternative anew.
    "ab?c{3}d{2,5}e+",
    "ab+|cd+|e{64}f{2,}",
    "a++",
    "ab+?",
    "ba*$",
    "^\\b[ab]+\\b\\Z",
    // A sign at the start or after a backslash, and in a class, repeats nothing.
    "+a*",
    "\\+\\*\\?a*",
    "[a+*][[b]*+]+",
    "[\\]+*?]a*",
    "[^]+",
    "\\p{L}\\P{N}+",
    "(?:ab)(?:c+)",
    "(?:a|b?)c+",
    "\\0",
    // Within a class a number is a character.
    "\\d[\\1]",
    // 64 is the most times and the most lengths.
    "a{64}b{1,64}c{1,}",
    "a?b?c?d?e?f?g",
    "(?:a|b)".repeat(6),
    "(?:a|b|c|(?:d|e))f",
    "a".repeat(1000),
  ])("accepts %s", (pattern) => {
    expect(check(pattern)).not.toThrow();
  });

  it.each([
    ["(a+)+b", "a group is repeated"],
    ["(a|a)*b", "a group is repeated"],
    ["(?:a{1,30}){1,30}", "a group is repeated"],
    ["a+b", "an alternative goes on after a repetition without bound"],
    ...["", "a*", "a?b{0,2}", "^$", "a|", "|a", "a|b*|c", "\\b"].map((pattern): [string, string] => [
      pattern,
      "an alternative may match nothing, and so everywhere",
    ]),
    ["a*a*b", "an alternative goes on after a repetition without bound"],
    ["a{0,99}b", "an alternative goes on after a repetition without bound"],
    // 2^30 ways to match 30 letters: https://swtch.com/~rsc/regexp/regexp1.html
    [`${"a?".repeat(30)}${"a".repeat(30)}`, "an alternative can match in more than 64 ways"],
    ["(?:a|a)".repeat(40), "an alternative can match in more than 64 ways"],
    ["(?:a|b)(?:c|d|(?:e|f|g){0,1})", "a group is repeated"],
    [`(?:${"a|".repeat(64)}a)`, "an alternative can match in more than 64 ways"],
    ["a{0,64}", "an alternative can match in more than 64 ways"],
    ["a{1,8}a{1,9}b", "an alternative can match in more than 64 ways"],
    ["(?=a+)b", "a group looks ahead or behind, or sets options"],
    ["(a)\\1", "the expression refers back to a group"],
    ["(a)?", "a group is repeated"],
    ["(a){2}", "a group is repeated"],
    ["(a)+", "a group is repeated"],
    ["a+b+c+", "an alternative goes on after a repetition without bound"],
    ["a{2,}b{,}c{65}", "an alternative goes on after a repetition without bound"],
    ["a{1,65}b{65}c{65,}", "an alternative goes on after a repetition without bound"],
    ["x|a*b*c*", "an alternative goes on after a repetition without bound"],
    ["(?:a+|b+|c+)", "an alternative goes on after a repetition without bound"],
    ["[ab]+[cd]+[ef]+", "an alternative goes on after a repetition without bound"],
    ["[[a]]*[\\]]*[^b]*", "an alternative goes on after a repetition without bound"],
    ["\\p{L}*\\p{N}*\\p{P}*", "an alternative goes on after a repetition without bound"],
    ["a+?b*+c+", "an alternative goes on after a repetition without bound"],
    ["(?!a)", "a group looks ahead or behind, or sets options"],
    ["(?<=a)b", "a group looks ahead or behind, or sets options"],
    ["(?i)a", "a group looks ahead or behind, or sets options"],
    ["(?<n>a)\\k<n>", "a group looks ahead or behind, or sets options"],
    ["a\\k<n>", "the expression refers back to a group"],
    ["a\\1", "the expression refers back to a group"],
    ["a\\9", "the expression refers back to a group"],
    ["\\s*a*a*\\p{L}", "an alternative goes on after a repetition without bound"],
    ["a*(?:b|c)d*e*", "an alternative goes on after a repetition without bound"],
    ["a".repeat(1001), "the expression has 1001 characters of at most 1000"],
  ])("refuses %s", (pattern, why) => {
    expect(check(pattern)).toThrow(`tokenizer.json: normalizer: ${why}, which could take for ever; got "`);
  });
});
