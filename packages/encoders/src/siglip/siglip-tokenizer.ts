import { readModelFile } from "@dcr-js/tensor";
import { checkOptions } from "../shared/check-options.js";
import { type AddedToken, describedToken, joinAddedTokens } from "../tokenizer/added-tokens.js";
import { TextTokenizer } from "../tokenizer/text-tokenizer.js";
import { readTokenizerFolder } from "../tokenizer/tokenizer-folder.js";
import { lowerCasing, readSiglipDefinition } from "./siglip-tokenizer-definition.js";

/** The parts of a {@link SiglipTokenizer} beside its tokenizer.json. */
export interface SiglipTokenizerOptions {
  /** Text put after every sequence. Default the one that tokenizer.json puts there, the only one it then may be, else `</s>`. */
  eosToken?: string;
  /** Text that fills a sequence up. Default `</s>`. */
  padToken?: string;
  /** Length of an encoded sequence. Default 64. */
  modelMaxLength?: number;
  /** Special tokens and other tokens that are found whole. Default those of tokenizer.json. */
  addedTokens?: readonly AddedToken[];
  /** On which side a sequence is filled up. Default `"right"`; of a folder, that of its class where its settings say nothing. */
  paddingSide?: "left" | "right";
}

/** How {@link SiglipTokenizer.fromPretrained} reads: options that override the folder's. */
export interface SiglipTokenizerFolderOptions extends Omit<SiglipTokenizerOptions, "addedTokens"> {
  /** Keys of tokenizer_config.json that nobody knows and that may be ignored, by name. */
  acceptKeys?: readonly string[];
}

const CONTEXT_LENGTH = 64;
const optionNames = {
  eosToken: true,
  padToken: true,
  modelMaxLength: true,
  paddingSide: true,
} as const;

/**
 * SigLIP's tokenizer (sentencepiece: lower case, no punctuation) and SigLIP 2's (Gemma's), from their tokenizer.json; ids equal
 * those of Hugging Face's tokenizers library. Texts are filled up to the length that the model was trained with, as the text
 * tower pools the last token.
 *
 * @example
 * const tokenizer = await SiglipTokenizer.fromPretrained("google/siglip-base-patch16-224");
 * const ids = tokenizer.encode(["a photo of a cat"]); // int32 [1, 64]
 */
export class SiglipTokenizer extends TextTokenizer {
  /**
   * @param definition the content of a tokenizer.json
   * @param options special tokens, added tokens and length
   * @throws if it is not of SigLIP's kinds, or a special token is missing from the vocabulary
   */
  constructor(definition: Record<string, unknown>, options: SiglipTokenizerOptions = {}) {
    const given = checkOptions("SiglipTokenizer", options, { ...optionNames, addedTokens: true });
    const { padToken = "</s>", addedTokens = [] } = given;
    const { vocabulary, before, after, lowercases } = readSiglipDefinition(definition);
    const eosToken = given.eosToken ?? after[0] ?? "</s>";
    if (after[0] !== undefined && eosToken !== after[0]) {
      throw new Error(
        `SiglipTokenizer: eosToken must be ${JSON.stringify(after[0])}, which tokenizer.json puts after every text, got ${JSON.stringify(eosToken)}`,
      );
    }
    const ids = new Map([...vocabulary, ...addedTokens.map(({ content, id }) => [content, id] as const)]);
    const idOf = (name: string, token: string) => {
      const id = ids.get(token);
      if (id !== undefined) return id;
      throw new Error(
        `SiglipTokenizer: ${name} ${JSON.stringify(token)} is not in the vocabulary of ${vocabulary.size} pieces`,
      );
    };
    super({
      name: "SiglipTokenizer",
      definition,
      addedTokens: joinAddedTokens("SiglipTokenizer", vocabulary, addedTokens),
      vocabulary,
      lowercases,
      bosTokenId: before[0] === undefined ? undefined : idOf("the first token", before[0]),
      eosTokenId: idOf("eosToken", eosToken),
      padTokenId: idOf("padToken", padToken),
      modelMaxLength: given.modelMaxLength ?? CONTEXT_LENGTH,
      paddingSide: given.paddingSide ?? "right",
    });
  }

  /**
   * Reads a tokenizer folder: tokenizer.json; tokenizer_config.json, special_tokens_map.json and added_tokens.json where they
   * exist. With `do_lower_case: true` or the class `Siglip2Tokenizer`, texts are lower-cased also where tokenizer.json has no such step,
   * as SigLIP 2 was trained (transformers' `Siglip2Tokenizer` does so, and its `GemmaTokenizer` does not).
   *
   * @param folder the folder, for example a copy of `google/siglip-base-patch16-224`
   * @param options override what the folder says
   * @throws if tokenizer.json is missing, or a file is not what it should be or has an unknown key
   */
  static async fromPretrained(
    folder: string,
    options: SiglipTokenizerFolderOptions = {},
  ): Promise<SiglipTokenizer> {
    const what = "SiglipTokenizer.fromPretrained";
    const { acceptKeys, ...overrides } = checkOptions(what, options, { ...optionNames, acceptKeys: true });
    const files = await readTokenizerFolder(folder, what, acceptKeys);
    const { settings } = files;
    if (!files.definition) {
      const hint = (await readModelFile(folder, "spiece.model"))
        ? "; spiece.model is not read: copy the tokenizer.json of the same model beside it (the hub's google/siglip-* " +
          "and Xenova/siglip-* have it), or load only the image tower (text: false)"
        : "";
      throw new Error(`${what}: expected tokenizer.json in ${folder}, but it does not exist${hint}`);
    }
    const definition = settings.lowerCase ? lowerCasing(files.definition) : files.definition;
    const { vocabulary, after } = readSiglipDefinition(definition);
    const known = new Set(files.addedTokens.map(({ content }) => content));
    const described = Array.from(files.specials.values()).flatMap((token) => {
      const id = vocabulary.get(token.content);
      return id === undefined || known.has(token.content) ? [] : [describedToken(id, token, true)];
    });
    const { eosToken, padToken, modelMaxLength, paddingSide } = settings;
    return new SiglipTokenizer(definition, {
      // In transformers too, tokenizer.json ends a text as it says, whatever the settings call the last token.
      eosToken: after[0] ?? eosToken,
      padToken,
      modelMaxLength,
      paddingSide,
      ...overrides,
      addedTokens: [...files.addedTokens, ...described],
    });
  }
}
