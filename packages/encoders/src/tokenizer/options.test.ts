import { readFile } from "node:fs/promises";
import "@tensorflow/tfjs-backend-cpu";
import { describeOptions } from "@dcr-js/testing/options";
import { CLIPTokenizer, type CLIPTokenizerOptions } from "../clip/clip-tokenizer.js";
import { SiglipTokenizer, type SiglipTokenizerOptions } from "../siglip/siglip-tokenizer.js";
import type { AddedToken } from "./added-tokens.js";
import type { EncodeOptions } from "./text-tokenizer.js";

const fixture = (name: string) => readFile(new URL(`../../fixtures/${name}`, import.meta.url), "utf8");
const vocab = JSON.parse(await fixture("clip-tokenizer/vocab.json")) as Record<string, number>;
const merges = (await fixture("clip-tokenizer/merges.txt"))
  .split("\n")
  .slice(1)
  .filter(Boolean)
  .map((line) => line.split(" ") as [string, string]);
const siglip = JSON.parse(await fixture("siglip-tokenizer/tokenizer.json")) as Record<string, unknown>;

const ids = (tokenizer: { encodeRows(texts: string[], options?: EncodeOptions): Int32Array[] }) =>
  tokenizer.encodeRows(["a photo of a cat", "dog <new> \u{1F600}"]).flatMap((row) => [...row, -1]);
const addedToken = (content: string, id: number): AddedToken => ({
  id,
  content,

  lstrip: false,
  rstrip: false,
  normalized: false,
  special: false,
});
const lengths = (value: number) => ({ default: value, other: 9, range: { min: 2, integer: true } });
const side = { default: "right" as const, other: "left" as const, refused: ["middle"] };

describeOptions("CLIPTokenizer", {
  run: (o: CLIPTokenizerOptions) => ids(new CLIPTokenizer({ vocab, merges }, o)),
  options: {
    bosToken: { default: "<|startoftext|>", other: "!", refused: ["<|none|>"] },
    eosToken: { default: "<|endoftext|>", other: "!", refused: ["<|none|>"] },
    padToken: { default: "<|endoftext|>", other: "!", refused: ["<|none|>"] },
    unkToken: { default: "<|endoftext|>", refused: ["<|none|>"] },
    modelMaxLength: lengths(77),
    addedTokens: { default: [], other: [addedToken("<new>", 742)] },
    paddingSide: side,
  },
});
describeOptions("SiglipTokenizer", {
  run: (o: SiglipTokenizerOptions) => ids(new SiglipTokenizer(siglip, o)),
  options: {
    // The tokenizer's own template says which token ends a text.
    eosToken: { default: "</s>" },
    padToken: { default: "</s>", other: "<unk>", refused: ["<|none|>"] },
    modelMaxLength: lengths(64),
    addedTokens: { other: [addedToken("<new>", 873)] },
    paddingSide: side,
  },
});
describeOptions("encodeRows", {
  run: (o: EncodeOptions) =>
    new CLIPTokenizer({ vocab, merges })
      .encodeRows(["a photo of a cat", "dog"], o)
      .flatMap((row) => [...row, -1]),
  options: {
    maxLength: lengths(77),
    padding: { default: "max_length", other: "longest", refused: ["none"] },
    truncation: { default: true, refused: [1] },
  },
});
