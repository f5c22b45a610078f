import { CLIPTokenizer } from "@dcr-js/diffusion";
import { describe, expect, it } from "vitest";
import { trainBpe } from "./bpe.js";

const tokenizerOf = ({ vocab, merges }: ReturnType<typeof trainBpe>) =>
  new CLIPTokenizer({ vocab, merges: merges.map((pair) => pair.split(" ") as [string, string]) });

describe("trainBpe", () => {
  it("merges the most frequent pair first, by hand", () => {
    // Words aab x 3, ab x 1: pairs "a b</w>" 4 times, "a a" 3 times; then "a ab</w>" 3 times.
    const { vocab, merges } = trainBpe(["aab aab", "aab AB"], 10);
    expect(merges).toEqual(["a b</w>", "a ab</w>"]);
    expect(Object.keys(vocab)).toHaveLength(2 * 256 + 2 + 2);
    expect(vocab["aab</w>"]).toBe(513);
    expect(vocab["<|endoftext|>"]).toBe(515);
  });

  it("starts with OpenAI's 256 byte signs and ends with the special tokens", () => {
    const { vocab } = trainBpe([""], 0);
    expect([vocab["!"], vocab["a"], vocab["!</w>"], vocab["<|startoftext|>"]]).toEqual([0, 64, 256, 512]);
    expect(Object.values(vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: 514 }, (_, id) => id));
  });

  it("round-trips any text through CLIPTokenizer, also words and bytes it never saw", () => {
    const tokenizer = tokenizerOf(trainBpe(["an emoji of a red heart", "a red circle", "heart heart"], 60));
    for (const text of ["a red heart", "an unseen zebra", "π ≠ 3 , 有 👍", "don ' t 42"]) {
      expect(tokenizer.decode(tokenizer.tokenize(text)).replaceAll(" ", "")).toBe(text.replaceAll(" ", ""));
    }
    expect(tokenizer.tokenize("heart")).toHaveLength(1);
    expect(tokenizer.tokenize("red heart")).toHaveLength(2);
  });

  it("is a function of the corpus only, not of its order", () => {
    const corpus = ["red heart", "green heart", "green circle", "red square"];
    expect(trainBpe([...corpus].reverse(), 20)).toEqual(trainBpe(corpus, 20));
  });
});
