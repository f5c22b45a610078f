import { tokenId } from "@dcr-js/tensor";
import { z } from "zod";

/** A token that is found whole in the text, before the vocabulary splits it; as tokenizer.json writes it. */
export interface AddedToken {
  id: number;
  content: string;
  /** Whether it is found in the normalised (lower-cased) text, itself normalised, and not in the raw one. */
  normalized: boolean;
  /** Whether decoding leaves it out. */
  special: boolean;
  /** Whether it swallows white space before it. */
  lstrip: boolean;
  /** Whether it swallows white space after it. */
  rstrip: boolean;
}

const content = z.string().min(1).max(1024);
/** An added token as files describe it; `single_word` has no counterpart in the tokenizer that runs them. */
export const tokenDescription = z.strictObject({
  __type: z.literal("AddedToken").optional(),
  id: tokenId.optional(),
  content,
  normalized: z.boolean().optional(),
  special: z.boolean().optional(),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  single_word: z.literal(false).default(false),
});

/** A special token: its text, or a description. */
export const specialToken = z.union([content, tokenDescription]);

/** The forms in which files hold added tokens. */
export const addedTokensDecoder = z.record(z.string().regex(/^\d{1,7}$/), tokenDescription);
export const addedTokensList = z.array(tokenDescription.required({ id: true })).max(100_000);
export const addedTokensEncoder = z.record(content, tokenId);

export type TokenDescription = z.infer<typeof tokenDescription>;

/** The description of a token of which only the text is known. */
export function plainToken(content: string): TokenDescription {
  return { content, lstrip: false, rstrip: false, single_word: false };
}

/** Completes a description as transformers does: a special token is not normalised unless its description says so. */
export function describedToken(
  id: number,
  { content, ...flags }: TokenDescription,
  special = false,
): AddedToken {
  const isSpecial = flags.special ?? special;
  return {
    id,
    content,
    special: isSpecial,
    normalized: flags.normalized ?? !isSpecial,
    lstrip: flags.lstrip,
    rstrip: flags.rstrip,
  };
}

/**
 * Puts added tokens of several files together; a later description of a token wins.
 *
 * @param vocabulary the ids that the model's own vocabulary gives
 * @throws where two tokens have one id, or one token two
 */
export function joinAddedTokens(
  what: string,
  vocabulary: ReadonlyMap<string, number>,
  tokens: readonly AddedToken[],
): AddedToken[] {
  const byContent = new Map<string, AddedToken>();
  const contentOf = new Map<number, string>();
  for (const token of tokens) {
    const { id, content } = token;
    const before = byContent.get(content)?.id ?? vocabulary.get(content);
    if (before !== undefined && before !== id) {
      throw new Error(`${what}: token ${JSON.stringify(content)} must have one id, got ${before} and ${id}`);
    }
    const other = contentOf.get(id);
    if (other !== undefined && other !== content) {
      throw new Error(
        `${what}: id ${id} must be one token's, got ${JSON.stringify(other)} and ${JSON.stringify(content)}`,
      );
    }
    byContent.set(content, token);
    contentOf.set(id, content);
  }
  return Array.from(byContent.values());
}
