import { describe, expect, it } from "vitest";
import { clipDefinition, readClipDefinition } from "./clip-tokenizer-definition.js";

const vocabulary = { vocab: { a: 0, b: 1, "ab</w>": 2 }, merges: [["a", "b</w>"]] as [string, string][] };
type Definition = ReturnType<typeof clipDefinition> & Record<string, Record<string, unknown>>;
const written = clipDefinition(vocabulary, "a") as Definition;
const [split] = (written.pre_tokenizer as { pretokenizers: object[] }).pretokenizers;
const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
/** The form in files: ByteLevel splits by GPT-2's expression itself. */
const definition = () =>
  ({ ...written, pre_tokenizer: { type: "Sequence", pretokenizers: [split, bytes] } }) as Definition;
const withModel = (changes: Record<string, unknown>) => {
  const file = definition();
  return { ...file, model: { ...file.model, ...changes } };
};
const withNormalizers = (normalizers: unknown) => ({
  ...definition(),
  normalizer: { type: "Sequence", normalizers },
});
const withPretokenizers = (pretokenizers: unknown) => ({
  ...definition(),
  pre_tokenizer: { type: "Sequence", pretokenizers },
});
const [nfc, replace, lowercase] = (definition().normalizer as { normalizers: object[] }).normalizers;

describe("readClipDefinition", () => {
  it("reads the form in files, and its older forms", () => {
    const words = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
    for (const file of [
      definition(),
      // Files of before tokenizers 0.14 write a merge as one text, and leave out what they do not use.
      withModel({ merges: ["a b</w>"] }),
      withModel({ type: undefined, continuing_subword_prefix: null, dropout: null, fuse_unk: undefined }),
      withPretokenizers([{ ...split, pattern: { Regex: words } }, { type: "ByteLevel" }]),
    ]) {
      expect(readClipDefinition(file)).toEqual(vocabulary);
    }
    const largest = { a: 0, b: 2 ** 22 - 1 };
    expect(readClipDefinition(withModel({ vocab: largest })).vocab).toEqual(largest);
  });

  it.each<[string, unknown]>([
    ["model.type", withModel({ type: "WordPiece" })],
    ["model.end_of_word_suffix", withModel({ end_of_word_suffix: "" })],
    ["model.end_of_word_suffix", { ...definition(), model: 3 }],
    ["model.end_of_word_suffix", { ...definition(), model: null }],
    ["model.continuing_subword_prefix", withModel({ continuing_subword_prefix: "##" })],
    ["model.dropout", withModel({ dropout: 0.1 })],
    ["model.fuse_unk", withModel({ fuse_unk: true })],
    ["model.byte_fallback", withModel({ byte_fallback: true })],
    ["model.ignore_merges", withModel({ ignore_merges: true })],
    ["normalizer must", { ...definition(), normalizer: null }],
    ["normalizer must", { ...definition(), normalizer: lowercase }],
    ["normalizer must", withNormalizers([nfc, replace])],
    ["normalizer must", withNormalizers([nfc, lowercase, replace])],
    ["normalizer must", withNormalizers(lowercase)],
    [
      "normalizer must",
      { ...definition(), normalizer: { type: "Other", normalizers: [nfc, replace, lowercase] } },
    ],
    ["normalizer.Replace", withNormalizers([nfc, { ...replace, content: "" }, lowercase])],
    ["normalizer.Replace", withNormalizers([nfc, { ...replace, pattern: { Regex: " +" } }, lowercase])],
    ["normalizer.Replace", withNormalizers([nfc, { ...replace, pattern: null }, lowercase])],
    ["pre_tokenizer must", withPretokenizers([split])],
    ["pre_tokenizer must", withPretokenizers([bytes, split])],
    ["pre_tokenizer.Split", withPretokenizers([{ ...split, pattern: { Regex: "(a+)+" } }, bytes])],
    ["pre_tokenizer.Split", withPretokenizers([{ ...split, pattern: "\\s" }, bytes])],
    [
      "pre_tokenizer.ByteLevel.add_prefix_space",
      withPretokenizers([split, { ...bytes, add_prefix_space: true }]),
    ],
    ["model.vocab", withModel({ vocab: null })],
    ["model.vocab", withModel({ vocab: "a" })],
    ["model.vocab", withModel({ vocab: { a: 0, b: 2 ** 22 } })],
    ["model.vocab", withModel({ vocab: { a: 0, b: -1 } })],
    ["model.vocab", withModel({ vocab: { a: 0, b: 0.5 } })],
    ["model.merges", withModel({ merges: {} })],
    ["model.merges", withModel({ merges: ["ab"] })],
    ["model.merges", withModel({ merges: [["a", "b", "c"]] })],
    ["model.merges", withModel({ merges: [["a", 1]] })],
    ["model.merges", withModel({ merges: [3] })],
  ])("refuses another %s: %#", (key, file) => {
    expect(() => readClipDefinition(file as Record<string, unknown>)).toThrow(
      `CLIPTokenizer: tokenizer.json: `,
    );
    expect(() => readClipDefinition(file as Record<string, unknown>)).toThrow(key);
  });
});
