import { describe } from "../shared/check-options.js";

/** CLIP's byte-level BPE vocabulary: piece to id, and the merges in order of rank. */
export interface CLIPVocabulary {
  vocab: Record<string, number>;
  merges: [string, string][];
}

/** Words, contractions, single digits, and runs of anything else (Radford et al. 2021; OpenAI's simple_tokenizer.py). */
const WORDS = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
/** The pattern that ByteLevel splits by (Radford et al. 2019; OpenAI's encoder.py). */
const GPT2_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const SPECIALS = "<\\|startoftext\\|>|<\\|endoftext\\|>|";

/** The tokenizer.json that transformers' CLIPTokenizer makes of vocab.json and merges.txt. */
export function clipDefinition({ vocab, merges }: CLIPVocabulary, unkToken: string): Record<string, unknown> {
  return {
    version: "1.0",
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: SPECIALS + WORDS }, behavior: "Removed", invert: true },
        // GPT-2's own expression splits once more, as in transformers: `<|endoftext|>` in capitals is three words.
        { type: "Split", pattern: { Regex: GPT2_WORDS }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      unk_token: unkToken,
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      vocab,
      merges,
    },
  };
}

/**
 * The vocabulary of a tokenizer.json, which must be CLIP's: the steps that {@link clipDefinition} has are taken in place of the
 * file's, so that no expression of a file is run.
 *
 * @throws where it is another kind of tokenizer
 */
export function readClipDefinition(definition: Record<string, unknown>): CLIPVocabulary {
  const model = object(definition["model"]);
  expect("model.type", model["type"] ?? "BPE", ["BPE"]);
  expect("model.end_of_word_suffix", model["end_of_word_suffix"], ["</w>"]);
  expect("model.continuing_subword_prefix", model["continuing_subword_prefix"] ?? "", [""]);
  for (const key of ["dropout", "fuse_unk", "byte_fallback", "ignore_merges"]) {
    expect(`model.${key}`, model[key] ?? false, [false]);
  }
  const normalizer = steps(definition["normalizer"], "normalizers");
  expect("normalizer", normalizer.map(({ type }) => type).join(", "), ["NFC, Replace, Lowercase"]);
  expect(
    "normalizer.Replace",
    JSON.stringify([object(normalizer[1]!["pattern"])["Regex"], normalizer[1]!["content"]]),
    [JSON.stringify(["\\s+", " "])],
  );
  const splitting = steps(definition["pre_tokenizer"], "pretokenizers");
  expect("pre_tokenizer", splitting.map(({ type }) => type).join(", "), ["Split, ByteLevel"]);
  expect("pre_tokenizer.Split", object(splitting[0]!["pattern"])["Regex"], [WORDS, SPECIALS + WORDS]);
  expect("pre_tokenizer.ByteLevel.add_prefix_space", splitting[1]!["add_prefix_space"] ?? false, [false]);

  const { vocab, merges } = model;
  const validVocabulary =
    typeof vocab === "object" &&
    vocab !== null &&
    Object.values(vocab).every(
      (id) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 22,
    );
  if (!validVocabulary)
    throw new Error(`${WHERE}: model.vocab must give each piece an id, got ${describe(vocab)}`);
  if (!Array.isArray(merges))
    throw new Error(`${WHERE}: model.merges must be a list, got ${describe(merges)}`);
  return { vocab: vocab as Record<string, number>, merges: merges.map(toPair) };
}

const WHERE = "CLIPTokenizer: tokenizer.json";

/** Older files write a merge as one text with a space between the pieces. */
function toPair(merge: unknown): [string, string] {
  const pair = typeof merge === "string" ? merge.split(" ") : merge;
  if (Array.isArray(pair) && pair.length === 2 && pair.every((piece) => typeof piece === "string")) {
    return pair as [string, string];
  }
  throw new Error(`${WHERE}: every one of model.merges must be two pieces, got ${JSON.stringify(merge)}`);
}

function expect(key: string, value: unknown, allowed: readonly unknown[]): void {
  if (allowed.includes(value)) return;
  throw new Error(
    `${WHERE}: ${key} must be CLIP's, ${allowed.map((one) => JSON.stringify(one)).join(" or ")}, got ${JSON.stringify(value)?.slice(0, 200)}`,
  );
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** The steps of a sequence, or the one step that stands alone. */
function steps(value: unknown, key: string): Record<string, unknown>[] {
  const outer = object(value);
  const inner = outer["type"] === "Sequence" ? outer[key] : [outer];
  return Array.isArray(inner) ? inner.map(object) : [];
}
