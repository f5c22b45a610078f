import { readFileSync } from "node:fs";
import { hashFraction } from "./hash-fraction.js";

/**
 * What an emoji may be used for.
 * - `train`: training of any model.
 * - `validation`: never trained on; stated figures and choice of settings.
 * - `reserved`: the detail pairs' codes, and whatever shows the same picture; never trained on, images or captions.
 * - `flag`: 270 near-identical rectangles told apart by country names; kept out of training and figures.
 */
export type EmojiSplit = "train" | "validation" | "reserved" | "flag";

/** Share of the visible families that are held out, and the seed of the draw. */
export const VALIDATION_SHARE = 0.1;
const SEED = 0;

/** Codes of data/emoji-reserved-codes.json. */
export function readReservedCodes(): Set<string> {
  const url = new URL("../../data/emoji-reserved-codes.json", import.meta.url);
  return new Set((JSON.parse(readFileSync(url, "utf8")) as { unified: string[] }).unified);
}

/**
 * Splits codes by family: an emoji, its skin-tone variants, and every emoji with exactly the same picture in some
 * style. A family with one reserved code is reserved as a whole; of the others, a seeded hash of the family's first
 * base code (in order of code) holds out {@link VALIDATION_SHARE}.
 *
 * @param codes each with its base code, category, and one fingerprint of its picture for every style
 * @param reserved reserved codes
 * @returns the split of each code
 */
export function splitEmoji(
  codes: readonly { code: string; baseCode: string; category: string; pictures: readonly string[] }[],
  reserved: ReadonlySet<string>,
): EmojiSplit[] {
  const parent = codes.map((_, index) => index);
  const rootOf = (index: number): number => {
    while (parent[index] !== index) {
      parent[index] = parent[parent[index]];
      index = parent[index];
    }
    return index;
  };
  const firstWith = new Map<string, number>();
  codes.forEach(({ baseCode, pictures }, index) => {
    for (const key of [`code ${baseCode}`, ...pictures.map((picture) => `picture ${picture}`)]) {
      const first = firstWith.get(key);
      if (first === undefined) firstWith.set(key, index);
      else parent[rootOf(index)] = rootOf(first);
    }
  });

  const families = new Map<number, { first: string; reserved: boolean; flag: boolean }>();
  codes.forEach(({ code, baseCode, category }, index) => {
    const root = rootOf(index);
    const family = families.get(root) ?? { first: baseCode, reserved: false, flag: false };
    if (baseCode < family.first) family.first = baseCode;
    family.reserved ||= reserved.has(code);
    family.flag ||= category === "flags";
    families.set(root, family);
  });
  return codes.map((_, index) => {
    const family = families.get(rootOf(index))!;
    if (family.reserved) return "reserved";
    if (family.flag) return "flag";
    return hashFraction(SEED, family.first) < VALIDATION_SHARE ? "validation" : "train";
  });
}
