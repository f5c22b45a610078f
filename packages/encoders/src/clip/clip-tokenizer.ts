import { checkOptions } from "../shared/check-options.js";
import { type AddedToken, describedToken, joinAddedTokens } from "../tokenizer/added-tokens.js";
import { TextTokenizer } from "../tokenizer/text-tokenizer.js";
import { readTokenizerFolder } from "../tokenizer/tokenizer-folder.js";
import { type CLIPVocabulary, clipDefinition, readClipDefinition } from "./clip-tokenizer-definition.js";

/** The parts of a {@link CLIPTokenizer}; the names are those of Hugging Face's tokenizer_config.json. */
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
  /** Tokens beside the vocabulary, such as those of textual inversion. Default none. */
  addedTokens?: readonly AddedToken[];
  /** On which side a sequence is filled up. Default `"right"`. */
  paddingSide?: "left" | "right";
}

/** How {@link CLIPTokenizer.fromPretrained} reads: options that override the folder's. */
export interface CLIPTokenizerFolderOptions extends Omit<CLIPTokenizerOptions, "addedTokens"> {
  /** Keys of tokenizer_config.json that nobody knows and that may be ignored, by name. */
  acceptKeys?: readonly string[];
}

const START = "<|startoftext|>";
const END = "<|endoftext|>";
const CONTEXT_LENGTH = 77;
const optionNames = {
  bosToken: true,
  eosToken: true,
  padToken: true,
  unkToken: true,
  modelMaxLength: true,
  paddingSide: true,
} as const;

/**
 * CLIP's tokenizer: lower-cased byte-level BPE with the end-of-word suffix `</w>`; ids equal those of
 * transformers' `CLIPTokenizer` (Radford et al. 2021, section 2.4). Tokens outside the vocabulary, such as those of textual
 * inversion, are whole tokens.
 *
 * A sequence is `[bos, pieces…, eos]`, cut so that eos is kept, then filled with the padding token up to the
 * wanted length.
 *
 * @example
 * const tokenizer = await CLIPTokenizer.fromPretrained("stable-diffusion/tokenizer");
 * const ids = tokenizer.encode(["a photo of a cat", ""]); // int32 [2, 77]
 */
export class CLIPTokenizer extends TextTokenizer {
  /**
   * @param source a vocabulary with its merges, or the content of a tokenizer.json
   * @param options special tokens, added tokens and length
   * @throws if a special token is missing from the vocabulary, or tokenizer.json is not CLIP's
   */
  constructor(source: CLIPVocabulary | Record<string, unknown>, options: CLIPTokenizerOptions = {}) {
    const given = checkOptions("CLIPTokenizer", options, { ...optionNames, addedTokens: true });
    const { bosToken = START, eosToken = END, padToken = END, unkToken = END, addedTokens = [] } = given;
    const { vocab, merges } = isVocabulary(source) ? source : readClipDefinition(source);
    const vocabulary = new Map(Object.entries(vocab));
    const listed = new Map(addedTokens.map((token) => [token.content, token]));
    const idOf = (name: string, token: string) => {
      const id = listed.get(token)?.id ?? vocabulary.get(token);
      if (id !== undefined) return id;
      throw new Error(
        `CLIPTokenizer: ${name} ${JSON.stringify(token)} is not in the vocabulary of ${vocabulary.size} pieces`,
      );
    };
    const ids = {
      bosToken: idOf("bosToken", bosToken),
      eosToken: idOf("eosToken", eosToken),
      padToken: idOf("padToken", padToken),
      unkToken: idOf("unkToken", unkToken),
    };
    // Special tokens are found in the raw text, before it is lower-cased: also `!` where it is the padding token.
    const flags = { special: true, normalized: false, lstrip: false, rstrip: false };
    const specials = [
      { id: ids.bosToken, content: bosToken, ...flags },
      { id: ids.eosToken, content: eosToken, ...flags },
      { id: ids.padToken, content: padToken, ...flags },
      { id: ids.unkToken, content: unkToken, ...flags },
    ].filter(({ content }) => !listed.has(content));
    super({
      name: "CLIPTokenizer",
      definition: clipDefinition({ vocab, merges }, unkToken),
      addedTokens: joinAddedTokens("CLIPTokenizer", vocabulary, [...addedTokens, ...specials]),
      vocabulary,
      lowercases: true,
      bosTokenId: ids.bosToken,
      eosTokenId: ids.eosToken,
      padTokenId: ids.padToken,
      modelMaxLength: given.modelMaxLength ?? CONTEXT_LENGTH,
      paddingSide: given.paddingSide ?? "right",
    });
  }

  /** The id that begins every text. */
  declare readonly bosTokenId: number;

  /**
   * Reads a tokenizer folder as transformers and diffusers write it: vocab.json with merges.txt, or tokenizer.json;
   * tokenizer_config.json, special_tokens_map.json and added_tokens.json where they exist.
   *
   * @param folder the folder, for example `stable-diffusion/tokenizer`
   * @param options override what the folder says
   * @throws if the folder holds neither form, or a file is not what it should be or has an unknown key
   */
  static async fromPretrained(
    folder: string,
    options: CLIPTokenizerFolderOptions = {},
  ): Promise<CLIPTokenizer> {
    const what = "CLIPTokenizer.fromPretrained";
    const { acceptKeys, ...overrides } = checkOptions(what, options, { ...optionNames, acceptKeys: true });
    const files = await readTokenizerFolder(folder, what, acceptKeys);
    const source = files.vocabulary ?? files.definition;
    if (!source) {
      throw new Error(
        `${what}: expected vocab.json and merges.txt, or tokenizer.json, in ${folder}; found neither`,
      );
    }
    const { vocab } = isVocabulary(source) ? source : readClipDefinition(source);
    const known = new Set(files.addedTokens.map(({ content }) => content));
    const described = Array.from(files.specials.values()).flatMap((token) => {
      const id = Object.hasOwn(vocab, token.content) ? vocab[token.content] : undefined;
      return id === undefined || known.has(token.content) ? [] : [describedToken(id, token, true)];
    });
    const addedTokens = [...files.addedTokens, ...described];
    return new CLIPTokenizer(source, { ...files.settings, ...overrides, addedTokens });
  }
}

function isVocabulary(source: object): source is CLIPVocabulary {
  return "vocab" in source && "merges" in source;
}
