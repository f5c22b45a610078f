import { Tokenizer } from "@huggingface/tokenizers";
import * as tf from "@tensorflow/tfjs-core";
import { checkChoice, checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { messageOf } from "../shared/message-of.js";
import type { AddedToken } from "./added-tokens.js";
import { stepsWithUnicodeSpaces, stripped } from "./white-space.js";
import { wholeTokenSplitter } from "./whole-tokens.js";

const loneSurrogate = /\p{Surrogate}/u;

/** Characters of a text that are tokenized first, where the text is longer: it is cut at a row's length in any case. */
const BEGINNING = 20_000;
/** Pieces at the end of such a part that its cut may have changed. */
const AT_CUT = 64;

/** How {@link TextTokenizer.encode} makes rows. */
export interface EncodeOptions {
  /** Length of a row, special tokens included. Default the tokenizer's `modelMaxLength`. */
  maxLength?: number;
  /** Fill rows up to `"max_length"` (the default), or to the longest of the texts (`"longest"`). */
  padding?: "max_length" | "longest";
  /** Cut texts that are too long, so that their special tokens stay; where it is false, they are an error. Default true. */
  truncation?: boolean;
}

/** The parts of a {@link TextTokenizer}. */
export interface TokenizerParts {
  /** Whose errors they are. */
  name: string;
  /** The content of a tokenizer.json, without added tokens. */
  definition: Record<string, unknown>;
  addedTokens: readonly AddedToken[];
  vocabulary: ReadonlyMap<string, number>;
  /** Whether the definition lower-cases texts. */
  lowercases: boolean;
  /** Put before and after every text; undefined where the model has none. */
  bosTokenId: number | undefined;
  eosTokenId: number;
  padTokenId: number;
  modelMaxLength: number;
  paddingSide: "left" | "right";
}

/** Texts to rows of token ids, as transformers' tokenizers make them. */
export class TextTokenizer {
  /** Length of an encoded text, special tokens included. */
  readonly modelMaxLength: number;
  /** The id that begins every text, or undefined. */
  readonly bosTokenId: number | undefined;
  /** The id that ends every text. */
  readonly eosTokenId: number;
  /** The id that fills rows up. */
  readonly padTokenId: number;
  readonly paddingSide: "left" | "right";
  /** The largest id plus one: a text model needs an embedding of at least this many rows. */
  readonly vocabSize: number;
  private readonly name: string;
  private readonly tokenizer: Tokenizer;
  /**
   * JavaScript lower-cases a capital sigma at the end of a word to its final form; tokenizers lower-case letter by letter. The
   * capital is replaced first.
   */
  private readonly lowercases: boolean;
  private readonly split: (text: string) => (string | AddedToken)[];
  private readonly wholeTokens: ReadonlyMap<number, AddedToken>;

  protected constructor(parts: TokenizerParts) {
    const { name, definition, addedTokens, vocabulary } = parts;
    this.name = name;
    this.modelMaxLength = this.checkLength("modelMaxLength", parts.modelMaxLength);
    this.lowercases = parts.lowercases;
    this.bosTokenId = parts.bosTokenId;
    this.eosTokenId = parts.eosTokenId;
    this.padTokenId = parts.padTokenId;
    this.paddingSide = checkChoice(`${name}: paddingSide`, parts.paddingSide, ["left", "right"]);
    let largest = -1;
    for (const [piece, id] of vocabulary) {
      checkNumber(`${name}: the id of ${JSON.stringify(piece)}`, id, {
        min: 0,
        below: 2 ** 22,
        integer: true,
      });
      largest = Math.max(largest, id);
    }
    for (const { id } of addedTokens) largest = Math.max(largest, id);
    this.vocabSize = largest + 1;
    const raw = addedTokens.filter(({ normalized }) => !normalized);
    this.split = wholeTokenSplitter(raw);
    this.wholeTokens = new Map(raw.map((token) => [token.id, token]));
    const { normalizer = null, pre_tokenizer = null, decoder = null } = definition;
    try {
      this.tokenizer = new Tokenizer(
        {
          ...definition,
          normalizer: stepsWithUnicodeSpaces(normalizer),
          pre_tokenizer: stepsWithUnicodeSpaces(pre_tokenizer),
          decoder,
          // Special tokens are put around a text here.
          post_processor: null,
          added_tokens: addedTokens.filter(({ normalized }) => normalized),
        },
        // Spaces before signs are a tokenizer's own way to write them; cleaning up would lose what was there.
        { clean_up_tokenization_spaces: false },
      );
    } catch (error) {
      throw new Error(`${name}: tokenizer.json cannot be read (${messageOf(error)})`, { cause: error });
    }
  }

  /**
   * The ids of a text's pieces, without special tokens, padding or limit.
   *
   * @param text any text
   * @throws where it is not well-formed: transformers refuses it too; where it is longer than the tokenizers library can take
   */
  tokenize(text: string): number[] {
    this.checkWellFormed(text);
    try {
      return this.pieces(text);
    } catch (error) {
      // Its pieces as the arguments of one call were too many for the stack.
      if (!(error instanceof RangeError)) throw error;
      throw new Error(`${this.name}: a text of ${text.length} characters is too long`, { cause: error });
    }
  }

  private checkWellFormed(text: string): void {
    if (!loneSurrogate.test(text)) return;
    throw new Error(
      `${this.name}: a text has half of a surrogate pair, which is no character; use text.toWellFormed()`,
    );
  }

  private pieces(text: string): number[] {
    return this.split(text).flatMap((part) =>
      typeof part === "string"
        ? this.tokenizer.encode(this.lowercases ? part.replaceAll("Σ", "σ") : part, {
            add_special_tokens: false,
          }).ids
        : part.id,
    );
  }

  /**
   * At least the first `count` pieces of a text, or all. Of a long text the beginning is enough: pieces do not span the white space
   * where it is cut, but for the last ones.
   */
  private firstPieces(text: string, count: number): number[] {
    for (let length = BEGINNING; length < text.length; length *= 4) {
      let cut = length;
      while (cut > 0 && !/\s/.test(text[cut]!)) cut--;
      if (cut === 0) break;
      const pieces = this.tokenize(text.slice(0, cut));
      if (pieces.length >= count + AT_CUT) return pieces;
    }
    return this.tokenize(text);
  }

  /**
   * Encodes texts to rows of equal length: begin, pieces, end, padding.
   *
   * @param texts the texts, at least one
   * @param options see {@link EncodeOptions}
   * @returns one row of ids for each text
   * @throws on an unknown option, what is no text, and, without truncation, a text that is too long
   */
  encodeRows(texts: readonly string[], options: EncodeOptions = {}): Int32Array[] {
    const what = `${this.name}.encode`;
    if (!Array.isArray(texts) || texts.length === 0) {
      throw new Error(`${what}: texts must be a non-empty array of strings, got ${describe(texts)}`);
    }
    const {
      maxLength = this.modelMaxLength,
      padding = "max_length",
      truncation = true,
    } = checkOptions(what, options, { maxLength: true, padding: true, truncation: "boolean" });
    this.checkLength("maxLength", maxLength);
    checkChoice(`${what}: padding`, padding, ["max_length", "longest"]);
    const begin = this.bosTokenId === undefined ? [] : [this.bosTokenId];
    const room = maxLength - begin.length - 1;
    const sequences = texts.map((text, index) => {
      if (typeof text !== "string") {
        throw new Error(`${what}: texts[${index}] must be a string, got ${describe(text)}`);
      }
      this.checkWellFormed(text);
      const pieces = truncation ? this.firstPieces(text, room) : this.tokenize(text);
      if (!truncation && pieces.length > room) {
        throw new Error(
          `${what}: texts[${index}] must have at most ${maxLength} tokens, got ${maxLength - room + pieces.length}`,
        );
      }
      return [...begin, ...pieces.slice(0, room), this.eosTokenId];
    });
    const longest = sequences.reduce((most, sequence) => Math.max(most, sequence.length), 0);
    const length = padding === "max_length" ? maxLength : longest;
    return sequences.map((sequence) => {
      const row = new Int32Array(length).fill(this.padTokenId);
      row.set(sequence, this.paddingSide === "right" ? 0 : length - sequence.length);
      return row;
    });
  }

  /**
   * Encodes texts to the input of a text model; see {@link encodeRows}.
   *
   * @param texts the texts, at least one
   * @param options see {@link EncodeOptions}
   * @returns int32 `[texts.length, length]`; the caller disposes it
   */
  encode(texts: readonly string[], options: EncodeOptions = {}): tf.Tensor2D {
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
   * @throws on an id outside the vocabulary
   */
  decode(ids: ArrayLike<number>): string {
    const special = new Set([this.bosTokenId, this.eosTokenId, this.padTokenId]);
    const texts: string[] = [];
    let pieces: number[] = [];
    const flush = () => {
      if (pieces.length > 0) texts.push(this.tokenizer.decode(pieces, { skip_special_tokens: true }));
      pieces = [];
    };
    for (const id of Array.from(ids)) {
      checkNumber(`${this.name}.decode: an id`, id, { min: 0, below: this.vocabSize, integer: true });
      const whole = this.wholeTokens.get(id);
      if (special.has(id)) continue;
      if (!whole) pieces.push(id);
      else if (!whole.special) {
        flush();
        texts.push(whole.content);
      }
    }
    flush();
    return texts.map((text) => stripped(text, { start: true, end: true })).join(" ");
  }

  private checkLength(name: string, length: number): number {
    return checkNumber(`${this.name}: ${name}`, length, { min: 2, max: 1_048_576, integer: true });
  }
}
