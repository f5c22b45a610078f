import { parseJsonObject, readModelFile } from "@dcr-js/tensor";
import { Tokenizer } from "@huggingface/tokenizers";
import * as tf from "@tensorflow/tfjs-core";

/** What a {@link CLIPTokenizer} is made of; the names are those of Hugging Face's tokenizer_config.json. */
export interface CLIPTokenizerOptions {
  /** Text put before every sequence. Default `<|startoftext|>`. */
  bosToken?: string;
  /** Text put after every sequence. Default `<|endoftext|>`. */
  eosToken?: string;
  /** Text that fills a sequence up: `<|endoftext|>` in Stable Diffusion 1.x (the default), `!` in 2.x. */
  padToken?: string;
  /** Stands for pieces outside the vocabulary. Default `<|endoftext|>`. */
  unkToken?: string;
  /** Length of an encoded sequence, both special tokens included. Default 77. */
  modelMaxLength?: number;
}

/** CLIP's byte-level BPE vocabulary: piece to id, and the merges in order of rank. */
export interface CLIPVocabulary {
  vocab: Record<string, number>;
  merges: [string, string][];
}

const START = "<|startoftext|>";
const END = "<|endoftext|>";
/** Hugging Face writes 1e30 for "no limit"; CLIP's context is 77. */
const UNLIMITED = 1e6;
const CONTEXT_LENGTH = 77;

/**
 * CLIP's tokenizer: lower-cased byte-level BPE with the end-of-word suffix `</w>`; ids equal those of
 * transformers' `CLIPTokenizer` (Radford et al. 2021, section 2.4).
 *
 * A sequence is `[bos, pieces…, eos]`, cut so that eos is kept, then filled with the padding token up to the
 * wanted length.
 *
 * @example
 * const tokenizer = await CLIPTokenizer.fromPretrained("stable-diffusion/tokenizer");
 * const ids = tokenizer.encode(["a photo of a cat", ""]); // int32 [2, 77]
 */
export class CLIPTokenizer {
  readonly modelMaxLength: number;
  readonly bosTokenId: number;
  readonly eosTokenId: number;
  readonly padTokenId: number;
  /** The largest id plus one: a text model needs an embedding of at least this many rows. */
  readonly vocabSize: number;
  private readonly tokenizer: Tokenizer;

  /**
   * @param source a vocabulary with its merges, or the content of a tokenizer.json
   * @param options special tokens and length
   * @throws if a special token is missing from the vocabulary
   */
  constructor(source: CLIPVocabulary | Record<string, unknown>, options: CLIPTokenizerOptions = {}) {
    const { bosToken = START, eosToken = END, padToken = END, unkToken = END } = options;
    const { modelMaxLength = CONTEXT_LENGTH } = options;
    checkLength("modelMaxLength", modelMaxLength);
    const definition = isVocabulary(source) ? toDefinition(source, unkToken) : source;
    const vocab = vocabularyOf(definition);
    const idOf = (name: string, token: string) => {
      const id = vocab[token];
      if (id === undefined) {
        const size = Object.keys(vocab).length;
        throw new Error(
          `CLIPTokenizer: ${name} ${JSON.stringify(token)} is not in the vocabulary of ${size} pieces`,
        );
      }
      return id;
    };
    this.bosTokenId = idOf("bosToken", bosToken);
    this.eosTokenId = idOf("eosToken", eosToken);
    this.padTokenId = idOf("padToken", padToken);
    this.vocabSize = Object.values(vocab).reduce((largest, id) => Math.max(largest, id), -1) + 1;
    this.modelMaxLength = modelMaxLength;
    this.tokenizer = new Tokenizer(
      withSpecialTokens(
        definition,
        [bosToken, eosToken, padToken, unkToken].map((token) => [token, idOf("token", token)]),
      ),
      // Spaces before punctuation are CLIP's own way to write it; cleaning up would be lossy.
      { clean_up_tokenization_spaces: false },
    );
  }

  /**
   * Reads a tokenizer folder as transformers and diffusers write it: vocab.json with merges.txt, or tokenizer.json;
   * tokenizer_config.json and special_tokens_map.json where they exist.
   *
   * @param folder the folder, for example `stable-diffusion/tokenizer`
   * @param options override what the folder says
   * @throws if the folder holds neither form, or a file is not what it should be
   */
  static async fromPretrained(folder: string, options: CLIPTokenizerOptions = {}): Promise<CLIPTokenizer> {
    const vocab = await readOptionalJson(folder, "vocab.json");
    const merges = await readModelFile(folder, "merges.txt");
    const source =
      vocab && merges
        ? {
            vocab: vocab as Record<string, number>,
            merges: parseMerges(new TextDecoder().decode(merges), `${folder}/merges.txt`),
          }
        : await readOptionalJson(folder, "tokenizer.json");
    if (!source) {
      throw new Error(
        `CLIPTokenizer.fromPretrained: expected vocab.json and merges.txt, or tokenizer.json, in ${folder}; found neither`,
      );
    }
    const config = (await readOptionalJson(folder, "tokenizer_config.json")) ?? {};
    const map = (await readOptionalJson(folder, "special_tokens_map.json")) ?? {};
    // Since transformers 4.34 tokenizer_config.json (then with added_tokens_decoder) is the authority; in older
    // folders, Stable Diffusion's among them, special_tokens_map.json wins where the two differ.
    const merged = "added_tokens_decoder" in config ? { ...map, ...config } : { ...config, ...map };
    const maxLength = config["model_max_length"];
    const fromFolder: CLIPTokenizerOptions = {
      bosToken: tokenText(merged["bos_token"]) ?? START,
      eosToken: tokenText(merged["eos_token"]) ?? END,
      padToken: tokenText(merged["pad_token"]) ?? END,
      unkToken: tokenText(merged["unk_token"]) ?? END,
      modelMaxLength: typeof maxLength === "number" && maxLength < UNLIMITED ? maxLength : CONTEXT_LENGTH,
    };
    return new CLIPTokenizer(source, { ...fromFolder, ...options });
  }

  /**
   * The ids of a text's pieces, without special tokens, padding or limit.
   *
   * @param text any text
   */
  tokenize(text: string): number[] {
    return this.tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  /**
   * Encodes texts to rows of equal length: bos, pieces, eos, padding; eos survives truncation.
   *
   * @param texts the texts, at least one
   * @param options maxLength: length of every row, at least 2; default {@link modelMaxLength}
   * @returns one row of ids for each text
   */
  encodeRows(texts: readonly string[], options: { maxLength?: number } = {}): Int32Array[] {
    if (!Array.isArray(texts) || texts.length === 0) {
      throw new Error(
        `CLIPTokenizer.encode: texts must be a non-empty array of strings, got ${describe(texts)}`,
      );
    }
    const { maxLength = this.modelMaxLength } = options;
    checkLength("maxLength", maxLength);
    return texts.map((text, index) => {
      if (typeof text !== "string") {
        throw new Error(`CLIPTokenizer.encode: texts[${index}] must be a string, got ${describe(text)}`);
      }
      const pieces = this.tokenize(text).slice(0, maxLength - 2);
      const row = new Int32Array(maxLength).fill(this.padTokenId);
      row.set([this.bosTokenId, ...pieces, this.eosTokenId]);
      return row;
    });
  }

  /**
   * Encodes texts to the input of a CLIP text model; see {@link encodeRows}.
   *
   * @param texts the texts, at least one
   * @param options maxLength: length of every row, at least 2; default {@link modelMaxLength}
   * @returns int32 `[texts.length, maxLength]`; the caller disposes it
   */
  encode(texts: readonly string[], options: { maxLength?: number } = {}): tf.Tensor2D {
    const rows = this.encodeRows(texts, options);
    const length = rows[0]!.length;
    const flat = new Int32Array(rows.length * length);
    rows.forEach((row, index) => {
      flat.set(row, index * length);
    });
    return tf.tensor2d(flat, [rows.length, length], "int32");
  }

  /**
   * The text of ids; special tokens are left out.
   *
   * @param ids ids of one sequence
   */
  decode(ids: ArrayLike<number>): string {
    const special = new Set([this.bosTokenId, this.eosTokenId, this.padTokenId]);
    const pieces = Array.from(ids).filter((id) => !special.has(id));
    return pieces.length === 0 ? "" : this.tokenizer.decode(pieces, { skip_special_tokens: true }).trim();
  }
}

function checkLength(name: string, length: number): void {
  if (!Number.isInteger(length) || length < 2) {
    throw new Error(`CLIPTokenizer: ${name} must be an integer of at least 2 (bos and eos), got ${length}`);
  }
}

function describe(value: unknown): string {
  return Array.isArray(value) ? `an array of ${value.length}` : String(value);
}

function isVocabulary(source: object): source is CLIPVocabulary {
  return "vocab" in source && "merges" in source;
}

/** The tokenizer.json that transformers' CLIPTokenizer makes of vocab.json and merges.txt. */
function toDefinition({ vocab, merges }: CLIPVocabulary, unkToken: string): Record<string, unknown> {
  return {
    version: "1.0",
    added_tokens: [],
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
        {
          type: "Split",
          pattern: {
            Regex:
              "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
          },
          behavior: "Removed",
          invert: true,
        },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
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

function vocabularyOf(definition: Record<string, unknown>): Record<string, number> {
  const model = definition["model"] as { type?: string; vocab?: Record<string, number> } | undefined;
  if (!model?.vocab || (model.type !== undefined && model.type !== "BPE")) {
    throw new Error(
      `CLIPTokenizer: tokenizer.json must hold a BPE model with its vocab, got model type ${model?.type}`,
    );
  }
  const added = (definition["added_tokens"] ?? []) as { id: number; content: string }[];
  return { ...model.vocab, ...Object.fromEntries(added.map(({ content, id }) => [content, id])) };
}

/** Special tokens are found in the raw text before any normalisation: also `!` where it is the padding token. */
function withSpecialTokens(definition: Record<string, unknown>, tokens: [string, number][]) {
  const added = ((definition["added_tokens"] ?? []) as { id: number; content: string }[]).slice();
  for (const [content, id] of tokens) {
    if (!added.some((token) => token.content === content)) {
      const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
      added.push({ id, content, ...flags } as { id: number; content: string });
    }
  }
  return { ...definition, added_tokens: added };
}

function parseMerges(text: string, path: string): [string, string][] {
  return text
    .split("\n")
    .filter((line, index) => line.trim() !== "" && !(index === 0 && line.startsWith("#version")))
    .map((line) => {
      const pair = line.trimEnd().split(" ");
      if (pair.length !== 2) {
        throw new Error(
          `CLIPTokenizer: every line of ${path} must be two pieces with a space between, got ${JSON.stringify(line)}`,
        );
      }
      return pair as [string, string];
    });
}

/** A special token is written as text, or as an object with its content. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

async function readOptionalJson(folder: string, name: string): Promise<Record<string, unknown> | undefined> {
  const bytes = await readModelFile(folder, name);
  return bytes && parseJsonObject(bytes, `${folder}/${name}`, "CLIPTokenizer.fromPretrained");
}
