import { readFileSync } from "node:fs";
import type { EmojiData } from "./emoji.js";
import type { EmojiStyle } from "./emoji-list.js";
import { hashFraction } from "./hash-fraction.js";

/** One side of a pair. */
export interface DetailPairSide {
  /** The emoji's code, as in `EmojiItem.code`. */
  code: string;
  /** What is true of this image and not of the other. */
  statement: string;
}

/** Two images that differ in one detail, in the style of MMVP-VLM (Tong et al. 2024). */
export interface DetailPair {
  id: string;
  /** One of the nine patterns, for example "Quantity and Count". */
  pattern: string;
  topic: string;
  /** Whether the pair is among the clearest of its pattern. */
  core: boolean;
  a: DetailPairSide;
  b: DetailPairSide;
}

/** Share of each pattern's pairs that settings may be chosen with. */
const CHOOSE_SHARE = 0.3;

/** The pairs of data/emoji-detail-pairs.json, over nine patterns. Their codes are all reserved. */
export function loadDetailPairs(): DetailPair[] {
  const url = new URL("../../data/emoji-detail-pairs.json", import.meta.url);
  const { patterns } = JSON.parse(readFileSync(url, "utf8")) as {
    patterns: Record<
      string,
      {
        id: string;
        topic: string;
        core: boolean;
        a: { unified: string; statement: string };
        b: { unified: string; statement: string };
      }[]
    >;
  };
  const side = ({ unified, statement }: { unified: string; statement: string }) => ({
    code: unified,
    statement,
  });
  return Object.entries(patterns).flatMap(([pattern, pairs]) =>
    pairs.map(({ id, topic, core, a, b }) => ({ id, pattern, topic, core, a: side(a), b: side(b) })),
  );
}

/**
 * Holds pairs out of the report, to choose settings with: of each pattern the 30 % with the smallest seeded hash of
 * their id.
 */
export function splitDetailPairs(
  pairs: readonly DetailPair[],
  seed: number,
): { choose: DetailPair[]; report: DetailPair[] } {
  const chosen = new Set<string>();
  for (const pattern of new Set(pairs.map((pair) => pair.pattern))) {
    const ids = pairs.filter((pair) => pair.pattern === pattern).map(({ id }) => id);
    ids.sort((a, b) => hashFraction(seed, a) - hashFraction(seed, b));
    for (const id of ids.slice(0, Math.round(CHOOSE_SHARE * ids.length))) chosen.add(id);
  }
  return {
    choose: pairs.filter(({ id }) => chosen.has(id)),
    report: pairs.filter(({ id }) => !chosen.has(id)),
  };
}

/**
 * Rows of a pair's two images in one style.
 *
 * @throws if the style lacks one of them
 */
export function detailPairImages(emoji: EmojiData, pair: DetailPair, style: EmojiStyle): [number, number] {
  const row = ({ code }: DetailPairSide) => {
    const index = emoji.items.findIndex((item) => item.code === code && item.style === style);
    if (index < 0) throw new Error(`detailPairImages: pair ${pair.id} needs ${code} in style ${style}`);
    return index;
  };
  return [row(pair.a), row(pair.b)];
}
