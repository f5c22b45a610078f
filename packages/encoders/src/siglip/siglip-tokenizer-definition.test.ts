import { describe, expect, it } from "vitest";
import { readSiglipDefinition } from "./siglip-tokenizer-definition.js";

const unigram = {
  type: "Unigram",
  unk_id: 0,
  vocab: [
    ["<unk>", 0],
    ["a", -1.5],
  ],
};
const bpe = { type: "BPE", vocab: { "<unk>": 0, a: 1 }, merges: [] };
const read = (changes: Record<string, unknown>) => readSiglipDefinition({ model: unigram, ...changes });
const text = { Sequence: { id: "A" } };
const special = (id: string) => ({ SpecialToken: { id } });
const nested = (depth: number): object =>
  depth === 0
    ? { type: "Lowercase" }
    : { type: "Sequence", normalizers: [{ type: "NFC" }, nested(depth - 1)] };

describe("readSiglipDefinition", () => {
  it("reads the vocabulary of a Unigram by place, and of a BPE by id", () => {
    expect(read({})).toEqual({
      vocabulary: new Map([
        ["<unk>", 0],
        ["a", 1],
      ]),
      before: [],
      after: [],
      lowercases: false,
    });
    expect(read({ model: bpe }).vocabulary).toEqual(read({}).vocabulary);
    const largest = 2 ** 22 - 1;
    expect(read({ model: { ...bpe, vocab: { a: 0, b: largest } } }).vocabulary.get("b")).toBe(largest);
    expect(read({ model: { ...unigram, unk_id: 1 } }).vocabulary.size).toBe(2);
  });

  it.each([
    ["normalizer", ["Lowercase", "Replace", "Strip", "Precompiled", "Prepend", "NFC", "NFKC"]],
    ["pre_tokenizer", ["Metaspace", "Split"]],
    ["decoder", ["Metaspace", "Replace", "ByteFallback", "Fuse", "Strip"]],
  ])("takes every %s of SigLIP and SigLIP 2, alone and in a sequence, or none", (key, types) => {
    const inner = { normalizer: "normalizers", pre_tokenizer: "pretokenizers", decoder: "decoders" }[key]!;
    const pattern = { String: " " };
    const fields: Record<string, object> = {
      Replace: { pattern, content: "▁" },
      Split: { pattern, behavior: "Isolated" },
      Prepend: { prepend: "▁" },
    };
    for (const type of types) {
      const lowercases = type === "Lowercase";
      const step = { type, ...fields[type] };
      expect(read({ [key]: step }).lowercases).toBe(lowercases);
      expect(read({ [key]: { type: "Sequence", [inner]: [step] } }).lowercases).toBe(lowercases);
      const refused = { type: "Sequence", [inner]: [step, { type: `${type}Of` }] };
      expect(() => read({ [key]: refused })).toThrow(`${key} must be made of`);
    }
    for (const none of [null, undefined]) expect(read({ [key]: none }).lowercases).toBe(false);
    for (const wrong of [3, "Lowercase", {}, { type: 3 }, { type: "BertNormalizer" }])
      expect(() => read({ [key]: wrong })).toThrow(`${key} must be made of Sequence, `);
  });

  it("takes sequences within sequences, at most 8 deep", () => {
    expect(read({ normalizer: nested(8) }).lowercases).toBe(true);
    expect(() => read({ normalizer: nested(9) })).toThrow("must not lie more than 8 deep");
  });

  it("takes a text or a bounded expression as a pattern", () => {
    const replace = (pattern: unknown) => () =>
      read({ normalizer: { type: "Replace", pattern, content: "" } });
    for (const pattern of [{ String: " " }, { Regex: "\\s+" }]) expect(replace(pattern)).not.toThrow();
    // The tokenizers library takes these for no pattern at all.
    for (const pattern of [null, undefined, {}, 3, "a", { Regex: 3 }, { String: "" }, { Glob: "*" }])
      expect(replace(pattern)).toThrow("normalizer: Replace.pattern");
    expect(() =>
      read({ pre_tokenizer: { type: "Split", pattern: { Regex: "(a+)+" }, behavior: "Isolated" } }),
    ).toThrow("pre_tokenizer: a group is repeated");
  });

  it.each<[Record<string, unknown>, string]>([
    [
      { normalizer: { type: "Replace", pattern: { String: "a" } } },
      "normalizer: Replace.content: expected string, got undefined",
    ],
    [{ normalizer: { type: "Prepend", prepend: 3 } }, "normalizer: Prepend.prepend: expected string, got 3"],
    [{ normalizer: { type: "Sequence", normalizers: 3 } }, "normalizer: Sequence"],
    [
      { pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "Removes" } },
      'pre_tokenizer: Split.behavior: expected "Removed" or "Isolated" or',
    ],
    [
      { decoder: { type: "Metaspace", replacement: 3 } },
      "decoder: Metaspace.replacement: expected string, got 3",
    ],
  ])("names the field of a step that is wrong: %j", (definition, message) => {
    expect(() => read(definition)).toThrow(`SiglipTokenizer: tokenizer.json: ${message}`);
  });

  it("takes at most 100 steps", () => {
    const steps = (count: number) => () =>
      read({ normalizer: { type: "Sequence", normalizers: Array(count - 1).fill({ type: "NFC" }) } });
    expect(steps(100)).not.toThrow();
    expect(steps(101)).toThrow("normalizer must have at most 100 steps, got 101");
  });

  it("takes replacements that make a text at most 16 times as long together", () => {
    const replace = (content: unknown, pattern: object = { String: "a" }) => ({
      type: "Replace",
      pattern,
      content,
    });
    const sequence =
      (...normalizers: object[]) =>
      () =>
        read({ normalizer: { type: "Sequence", normalizers } });
    const tooLong = (times: number) =>
      `normalizer must not make a text more than 16 times as long, got ${times} times`;
    expect(sequence(...Array(4).fill(replace("aa")))).not.toThrow();
    // 30 of them would make 10^9 characters of one.
    expect(sequence(...Array(5).fill(replace("aa")))).toThrow(tooLong(32));
    expect(sequence(replace("a".repeat(48), { String: "abc" }))).not.toThrow();
    expect(sequence(replace("a".repeat(49), { String: "abc" }))).toThrow(tooLong(17));
    expect(sequence(replace("a".repeat(17), { Regex: "[a-z]{2}" }))).toThrow(tooLong(17));
    expect(sequence({ type: "Prepend", prepend: "a".repeat(17) })).toThrow(tooLong(17));
    expect(sequence(...Array(50).fill(replace("")))).not.toThrow();
    expect(() => read({ pre_tokenizer: { type: "Metaspace", replacement: "a".repeat(17) } })).toThrow(
      "pre_tokenizer must not make a text more than 16 times as long",
    );
  });

  it("takes a Metaspace that puts its sign before every word or none", () => {
    for (const prepend_scheme of ["always", "never", undefined])
      expect(() => read({ pre_tokenizer: { type: "Metaspace", prepend_scheme } })).not.toThrow();
    expect(() => read({ pre_tokenizer: { type: "Metaspace", prepend_scheme: "first" } })).toThrow(
      'pre_tokenizer: Metaspace.prepend_scheme: expected "always" or "never", got "first"',
    );
    expect(() => read({ normalizer: { type: "Strip", prepend_scheme: "first" } })).not.toThrow();
  });

  it.each<[object, string[], string[]]>([
    [[text], [], []],
    [[text, special("</s>")], [], ["</s>"]],
    [[special("<s>"), text], ["<s>"], []],
    [[special("<s>"), text, special("</s>")], ["<s>"], ["</s>"]],
  ])("reads the tokens beside the text from %j", (single, before, after) => {
    expect(read({ post_processor: { type: "TemplateProcessing", single } })).toMatchObject({ before, after });
  });

  it.each([
    [[special("<s>"), special("<s>"), text]],
    [[text, special("</s>"), special("</s>")]],
    [[text, text]],
    [[special("<s>"), text, text]],
    [[special("<s>")]],
    [[]],
  ])("refuses other templates: %j", (single) => {
    expect(() => read({ post_processor: { type: "TemplateProcessing", single } })).toThrow(
      "post_processor must put at most one token on each side of a text",
    );
  });

  it.each([
    { type: "BertProcessing" },
    { type: "BertProcessing", single: [text] },
    { type: "TemplateProcessing" },
    { type: "TemplateProcessing", single: "$A" },
    3,
  ])("refuses the post-processor %j", (post_processor) => {
    expect(() => read({ post_processor })).toThrow("post_processor must be a TemplateProcessing");
  });

  it.each<[unknown, string]>([
    [{ ...unigram, vocab: [["a"]] }, "model.vocab[0] must be a piece and its score, got an array of 1"],
    [{ ...unigram, vocab: [["a", 0], "b"] }, 'model.vocab[1] must be a piece and its score, got "b"'],
    [{ ...unigram, vocab: [[1, 0]] }, "model.vocab[0] must be a piece and its score"],
    [{ ...unigram, vocab: [["a", Number.NaN]] }, "model.vocab[0] must be a piece and its score"],
    [{ ...unigram, unk_id: 2 }, "model.unk_id must be an id of the 2 pieces, got 2"],
    [{ ...unigram, unk_id: -1 }, "model.unk_id must be an id of the 2 pieces, got -1"],
    [{ ...unigram, unk_id: 0.5 }, "model.unk_id must be an id of the 2 pieces, got 0.5"],
    [{ ...unigram, unk_id: null }, "model.unk_id must be an id of the 2 pieces, got null"],
    [{ ...unigram, vocab: { a: 0 } }, 'must be a Unigram or a BPE with its vocabulary, got type "Unigram"'],
    [
      { ...unigram, type: "WordPiece" },
      'must be a Unigram or a BPE with its vocabulary, got type "WordPiece"',
    ],
    [{ ...bpe, type: "WordPiece" }, 'must be a Unigram or a BPE with its vocabulary, got type "WordPiece"'],
    [{ ...bpe, vocab: {} }, 'must be a Unigram or a BPE with its vocabulary, got type "BPE"'],
    [{ ...bpe, vocab: null }, "and vocab null"],
    [{ ...bpe, merges: undefined }, 'must be a Unigram or a BPE with its vocabulary, got type "BPE"'],
    [{ ...bpe, vocab: { a: 0.5 } }, 'model.vocab "a" must be an id, got 0.5'],
    [{ ...bpe, vocab: { a: 0, b: -1 } }, 'model.vocab "b" must be an id, got -1'],
    [{ ...bpe, vocab: { a: 2 ** 22 } }, 'model.vocab "a" must be an id, got 4194304'],
    [{ ...bpe, dropout: 0.1 }, "model.dropout must be null, got 0.1"],
    [null, "must be a Unigram or a BPE with its vocabulary, got type undefined"],
  ])("refuses the model %j", (model, message) => {
    expect(() => read({ model })).toThrow(message);
  });
});
