import { captionWords } from "../scenes/captions.js";
import { trainBpe } from "./bpe.js";

/** Begin, the 17 words of the longest caption, end, and one to spare. */
export const CAPTION_TOKENS = 20;

/** The files of a CLIP tokenizer in which each word of the captions is one token. */
export function tokenizerFiles(): Record<string, string> {
  const words = captionWords().join(" ");
  // A pair is merged where it occurs twice.
  const { vocab, merges } = trainBpe([words, words], Number.POSITIVE_INFINITY);
  const special = {
    bos_token: "<|startoftext|>",
    eos_token: "<|endoftext|>",
    unk_token: "<|endoftext|>",
    pad_token: "<|endoftext|>",
  };
  const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
  return {
    "vocab.json": json(vocab),
    "merges.txt": `#version: 0.2\n${merges.join("\n")}\n`,
    "special_tokens_map.json": json(special),
    "tokenizer_config.json": json({
      ...special,
      model_max_length: CAPTION_TOKENS,
      tokenizer_class: "CLIPTokenizer",
    }),
  };
}
