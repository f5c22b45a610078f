import { parseConfig, parseJsonObject, readModelFile, tokenId } from "@dcr-js/tensor";
import { z } from "zod";
import { expectation } from "../shared/expectation.js";
import { shown } from "../shared/shown.js";
import {
  type AddedToken,
  addedTokensDecoder,
  addedTokensEncoder,
  addedTokensList,
  describedToken,
  plainToken,
  specialToken,
  type TokenDescription,
} from "./added-tokens.js";
import { tokenizerCallKeys } from "./tokenizer-call-keys.js";

/** A tokenizer folder's settings beside the definition itself. */
export interface TokenizerSettings {
  bosToken?: string;
  eosToken?: string;
  padToken?: string;
  unkToken?: string;
  modelMaxLength?: number;
  paddingSide?: "left" | "right";
  /** Whether texts are lower-cased, whatever tokenizer.json says: true where the settings say so, else absent. */
  lowerCase?: true;
}

/** The result of {@link readTokenizerFolder}. */
export interface TokenizerFolder {
  settings: TokenizerSettings;
  /** tokenizer.json, if it is there. */
  definition: Record<string, unknown> | undefined;
  /** vocab.json and merges.txt, if they are there. */
  vocabulary: { vocab: Record<string, number>; merges: [string, string][] } | undefined;
  addedTokens: AddedToken[];
  /** Descriptions of the special tokens, by content. */
  specials: ReadonlyMap<string, TokenDescription>;
}

/** Hugging Face writes 1e30 for "no limit". */
const UNLIMITED = 1e6;
const ROLES = ["bos_token", "eos_token", "pad_token", "unk_token"] as const;
const otherRoles = ["sep_token", "cls_token", "mask_token"] as const;

const roles = {
  bos_token: specialToken.nullish(),
  eos_token: specialToken.nullish(),
  pad_token: specialToken.nullish(),
  unk_token: specialToken.nullish(),
  sep_token: specialToken.nullish(),
  cls_token: specialToken.nullish(),
  mask_token: specialToken.nullish(),
  additional_special_tokens: z.array(specialToken).max(100_000).nullish(),
  extra_special_tokens: z
    .union([z.array(specialToken).max(100_000), z.record(z.string(), specialToken)])
    .nullish(),
};
const mapFormat = { name: "special_tokens_map", schema: z.object(roles) };
const configFormat = {
  name: "tokenizer_config",
  schema: z.object({
    ...roles,
    added_tokens_decoder: addedTokensDecoder.optional(),
    model_max_length: z.number().positive().nullish(),
    padding_side: z.enum(["left", "right"]).nullish(),
    tokenizer_class: z.string().nullish(),
    // CLIP and SigLIP were trained on lower-cased texts.
    do_lower_case: z.literal(true).nullish(),
  }),
  harmless: [
    "backend",
    "clean_up_tokenization_spaces",
    "auto_map",
    "is_local",
    "legacy",
    "model_input_names",
    "model_specific_special_tokens",
    "name_or_path",
    "pad_token_type_id",
    "processor_class",
    "spaces_between_special_tokens",
    "special_tokens_map_file",
    "tokenizer_file",
    "truncation_strategy",
    "use_default_system_prompt",
    "use_fast",
    "vocab_file",
    "merges_file",
    ...tokenizerCallKeys,
  ],
  neutral: {
    add_prefix_space: [false, null],
    add_bos_token: [false, null],
    add_eos_token: [true, null],
    errors: ["replace"],
    sp_model_kwargs: [{}, null],
    split_special_tokens: [false],
    tokenize_chinese_chars: [true],
    strip_accents: [null],
    truncation_side: ["right", null],
  },
};

/** transformers' class for SigLIP 2 lower-cases always; Gemma's, which older folders name, leaves it to tokenizer.json. */
const isLowerCasing = (name: string): boolean => /^Siglip2Tokenizer(Fast)?$/.test(name);
/** These classes of transformers fill up on the left where the settings say nothing. */
const padsLeft = (name: string): boolean => /^(Gemma|Siglip2)Tokenizer(Fast)?$/.test(name);

const vocabFile = z.record(z.string(), tokenId);

/**
 * Reads the files of a tokenizer folder, as transformers and diffusers have written them over the years: tokenizer.json, or
 * vocab.json with merges.txt; tokenizer_config.json, special_tokens_map.json and added_tokens.json where they exist.
 *
 * @param what who reads, for errors
 * @throws if a file is not what it should be, or has a key that nobody knows
 */
export async function readTokenizerFolder(
  folder: string,
  what: string,
  acceptKeys?: readonly string[],
): Promise<TokenizerFolder> {
  const read = async (name: string) => {
    const bytes = await readModelFile(folder, name);
    return bytes && parseJsonObject(bytes, `${folder}/${name}`, what);
  };
  const how = (name: string) => ({ file: `${folder}/${name}`, acceptKeys });
  const config = parseConfig(
    { ...configFormat, name: what },
    (await read("tokenizer_config.json")) ?? {},
    how("tokenizer_config.json"),
  );
  const map = parseConfig(
    { ...mapFormat, name: what },
    (await read("special_tokens_map.json")) ?? {},
    how("special_tokens_map.json"),
  );
  const old = await read("added_tokens.json");
  const definition = await read("tokenizer.json");

  // Since transformers 4.34 tokenizer_config.json (then with added_tokens_decoder) is the authority; in older
  // folders, Stable Diffusion's among them, special_tokens_map.json wins where the two differ.
  const merged = "added_tokens_decoder" in config ? { ...map, ...config } : { ...config, ...map };
  const specials = new Map<string, TokenDescription>();
  const others = [merged.additional_special_tokens, merged.extra_special_tokens].flatMap((tokens) =>
    Object.values(tokens ?? {}),
  );
  for (const token of [...ROLES, ...otherRoles].map((role) => merged[role]).concat(others)) {
    if (token === null || token === undefined) continue;
    const description = typeof token === "string" ? plainToken(token) : token;
    specials.set(description.content, description);
  }
  const text = (role: (typeof ROLES)[number]) => {
    const token = merged[role];
    return typeof token === "string" ? token : token?.content;
  };
  const { model_max_length: length, tokenizer_class } = config;
  const name = tokenizer_class ?? "";
  return {
    definition,
    vocabulary: await readVocabulary(folder, what, read),
    specials,
    addedTokens: [
      ...fromDefinition(definition, `${what}: ${folder}/tokenizer.json`),
      ...fromEncoder(old, specials, `${what}: ${folder}/added_tokens.json`),
      ...Object.entries(config.added_tokens_decoder ?? {}).map(([id, token]) =>
        describedToken(Number(id), token),
      ),
    ],
    settings: {
      bosToken: text("bos_token"),
      eosToken: text("eos_token"),
      padToken: text("pad_token"),
      unkToken: text("unk_token"),
      modelMaxLength: length && length < UNLIMITED ? length : undefined,
      paddingSide: config.padding_side ?? (padsLeft(name) ? "left" : undefined),
      ...((config.do_lower_case === true || isLowerCasing(name)) && { lowerCase: true }),
    },
  };
}

async function readVocabulary(
  folder: string,
  what: string,
  read: (name: string) => Promise<Record<string, unknown> | undefined>,
): Promise<TokenizerFolder["vocabulary"]> {
  const vocab = await read("vocab.json");
  const merges = await readModelFile(folder, "merges.txt");
  if (!vocab || !merges) return undefined;
  return {
    vocab: check(vocabFile, vocab, `${what}: ${folder}/vocab.json`),
    merges: parseMerges(new TextDecoder().decode(merges), `${what}: ${folder}/merges.txt`),
  };
}

function fromDefinition(definition: Record<string, unknown> | undefined, where: string): AddedToken[] {
  const tokens = definition?.["added_tokens"];
  if (tokens === undefined || tokens === null) return [];
  return check(addedTokensList, tokens, `${where}: added_tokens`).map((token) =>
    describedToken(token.id, token),
  );
}

/** The older file knows ids only. Its tokens are found in the normalised text, also special ones that are not described. */
function fromEncoder(
  file: Record<string, unknown> | undefined,
  specials: TokenizerFolder["specials"],
  where: string,
): AddedToken[] {
  if (!file) return [];
  return Object.entries(check(addedTokensEncoder, file, where)).map(([content, id]) =>
    describedToken(
      id,
      { normalized: true, ...(specials.get(content) ?? plainToken(content)) },
      specials.has(content),
    ),
  );
}

function parseMerges(text: string, where: string): [string, string][] {
  return text
    .split("\n")
    .filter((line, index) => line.trim() !== "" && !(index === 0 && line.startsWith("#version")))
    .map((line) => {
      const pair = line.trimEnd().split(" ");
      if (pair.length !== 2) {
        throw new Error(
          `${where}: every line must be two pieces with a space between, got ${JSON.stringify(line)}`,
        );
      }
      return pair as [string, string];
    });
}

function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const given = issue.path.reduce<unknown>((inner, key) => (inner as never)?.[key], value);
  const name = issue.path.map(String).join(".") || "content";
  throw new Error(`${where}: ${name}: ${expectation(issue)}, got ${shown(given)}`);
}
