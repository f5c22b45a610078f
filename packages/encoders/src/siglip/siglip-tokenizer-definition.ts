import { z } from "zod";
import { describe } from "../shared/check-options.js";
import { expectation } from "../shared/expectation.js";
import { shown } from "../shared/shown.js";
import { checkPattern } from "../tokenizer/check-pattern.js";

const WHERE = "SiglipTokenizer: tokenizer.json";
/** Steps that tokenizers of SigLIP (sentencepiece) and SigLIP 2 (Gemma) are made of. */
const STEPS = {
  normalizer: ["Sequence", "Lowercase", "Replace", "Strip", "Precompiled", "Prepend", "NFC", "NFKC"],
  pre_tokenizer: ["Sequence", "Metaspace", "Split"],
  decoder: ["Sequence", "Metaspace", "Replace", "ByteFallback", "Fuse", "Strip"],
};

/** The parts of a tokenizer.json that the tokenizer reads. */
export interface SiglipDefinition {
  vocabulary: Map<string, number>;
  /** The texts of the tokens that the file puts before and after every text. */
  before: string[];
  after: string[];
  lowercases: boolean;
}

/**
 * Checks a tokenizer.json of SigLIP (Unigram) or SigLIP 2 (BPE with bytes).
 *
 * @throws where it has a step that is not known, or an expression that could take for ever
 */
export function readSiglipDefinition(definition: Record<string, unknown>): SiglipDefinition {
  let lowercases = false;
  for (const [key, types] of Object.entries(STEPS)) {
    let growth = 1;
    const all = steps(definition[key]);
    if (all.length > MOST_STEPS) {
      throw new Error(`${WHERE}: ${key} must have at most ${MOST_STEPS} steps, got ${all.length}`);
    }
    for (const step of all) {
      const { type } = step;
      if (typeof type !== "string" || !types.includes(type)) {
        throw new Error(`${WHERE}: ${key} must be made of ${types.join(", ")}, got ${JSON.stringify(type)}`);
      }
      if (type === "Lowercase") lowercases = true;
      const where = `${WHERE}: ${key}`;
      growth *= checkStep(where, type, step);
      if (growth > MOST_GROWTH) {
        throw new Error(
          `${where} must not make a text more than ${MOST_GROWTH} times as long, got ${growth} times`,
        );
      }
    }
  }
  return { vocabulary: readVocabulary(object(definition["model"])), ...readTemplate(definition), lowercases };
}

/** Published tokenizers have about ten. */
const MOST_STEPS = 100;

/** The steps of published tokenizers put a character or two in another's place. A file's could fill the memory. */
const MOST_GROWTH = 16;

const pattern = z.union([
  z.strictObject({ String: z.string().nonempty() }),
  z.strictObject({ Regex: z.string() }),
]);

/** What the steps hold that the tokenizers library would take for nothing, or fail on, where it is another thing. */
const fields: Record<string, z.ZodType> = {
  Replace: z.object({ pattern, content: z.string() }),
  Split: z.object({
    pattern,
    behavior: z.enum(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]),
    invert: z.boolean().nullish(),
  }),
  Metaspace: z.object({
    replacement: z.string().nullish(),
    prepend_scheme: z.enum(["always", "never"]).nullish(),
    split: z.boolean().nullish(),
  }),
  Prepend: z.object({ prepend: z.string() }),
  Sequence: z.union([
    z.object({ normalizers: z.array(z.unknown()) }),
    z.object({ pretokenizers: z.array(z.unknown()) }),
    z.object({ decoders: z.array(z.unknown()) }),
  ]),
};

/** A step's text that stands for every match of its pattern. */
type Replacing = {
  content?: string;
  replacement?: string;
  prepend?: string;
  pattern?: z.infer<typeof pattern>;
};

/** Checks a step's fields. @returns how many times as long it may make a text */
function checkStep(where: string, type: string, step: Record<string, unknown>): number {
  const issue = fields[type]?.safeParse(step).error?.issues[0];
  if (issue) {
    const given = issue.path.reduce<unknown>((value, key) => (value as never)?.[key], step);
    throw new Error(
      `${where}: ${[type, ...issue.path].join(".")}: ${expectation(issue)}, got ${shown(given)}`,
    );
  }
  const { content, replacement, prepend, pattern } = (fields[type] ? step : {}) as Replacing;
  if (pattern && "Regex" in pattern) checkPattern(where, pattern.Regex);
  const shortest = pattern && "String" in pattern ? pattern.String.length : 1;
  return Math.max(1, Math.ceil((content ?? replacement ?? prepend ?? "").length / shortest));
}

/** The same tokenizer with lower-casing as its first step, where it has none. */
export function lowerCasing(definition: Record<string, unknown>): Record<string, unknown> {
  const { normalizer } = definition;
  if (steps(normalizer).some(({ type }) => type === "Lowercase")) return definition;
  const normalizers = [{ type: "Lowercase" }, ...(normalizer ? [normalizer] : [])];
  return { ...definition, normalizer: { type: "Sequence", normalizers } };
}

function readVocabulary(model: Record<string, unknown>): Map<string, number> {
  const { type, vocab } = model;
  if (type === "Unigram" && Array.isArray(vocab)) {
    for (const [index, entry] of vocab.entries()) {
      const valid = Array.isArray(entry) && typeof entry[0] === "string" && Number.isFinite(entry[1]);
      if (!valid)
        throw new Error(
          `${WHERE}: model.vocab[${index}] must be a piece and its score, got ${describe(entry)}`,
        );
    }
    const unknown = model["unk_id"];
    if (!Number.isInteger(unknown) || (unknown as number) < 0 || (unknown as number) >= vocab.length) {
      throw new Error(
        `${WHERE}: model.unk_id must be an id of the ${vocab.length} pieces, got ${describe(unknown)}`,
      );
    }
    return new Map(vocab.map(([piece], id) => [piece as string, id]));
  }
  const entries = type === "BPE" ? Object.entries(object(vocab)) : [];
  if (entries.length > 0 && Array.isArray(model["merges"])) {
    const wrong = entries.find(
      ([, id]) => !Number.isInteger(id) || (id as number) < 0 || (id as number) >= 2 ** 22,
    );
    if (wrong)
      throw new Error(
        `${WHERE}: model.vocab ${JSON.stringify(wrong[0])} must be an id, got ${describe(wrong[1])}`,
      );
    if (model["dropout"])
      throw new Error(`${WHERE}: model.dropout must be null, got ${describe(model["dropout"])}`);
    return new Map(entries as [string, number][]);
  }
  throw new Error(
    `${WHERE}: model must be a Unigram or a BPE with its vocabulary, got type ${JSON.stringify(type)} and vocab ${describe(vocab)}`,
  );
}

/** SigLIP's own tokenizer, which has no post-processor to say so, ends a text with its last token only. */
function readTemplate({ post_processor }: Record<string, unknown>): { before: string[]; after: string[] } {
  if (post_processor === null || post_processor === undefined) return { before: [], after: [] };
  const { type, single } = object(post_processor);
  if (type !== "TemplateProcessing" || !Array.isArray(single)) {
    throw new Error(`${WHERE}: post_processor must be a TemplateProcessing, got ${JSON.stringify(type)}`);
  }
  const names = single.map((part) => object(object(part)["SpecialToken"])["id"] as string | undefined);
  const place = names.indexOf(undefined);
  const [before, after] = [names.slice(0, place), names.slice(place + 1)] as [string[], string[]];
  if (place < 0 || before.length > 1 || after.length > 1 || after.includes(undefined as never)) {
    throw new Error(
      `${WHERE}: post_processor must put at most one token on each side of a text, got ${JSON.stringify(single).slice(0, 200)}`,
    );
  }
  return { before, after };
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Every step, those of sequences within sequences too. */
function steps(value: unknown, depth = 0): Record<string, unknown>[] {
  if (value === null || value === undefined) return [];
  if (depth > 8) throw new Error(`${WHERE}: sequences must not lie more than 8 deep in each other`);
  const step = object(value);
  const inner = step["normalizers"] ?? step["pretokenizers"] ?? step["decoders"] ?? [];
  return [step, ...(Array.isArray(inner) ? inner : []).flatMap((one) => steps(one, depth + 1))];
}
