import { readFileSync } from "node:fs";
import type { EmojiData } from "./emoji.js";
import type { EmojiStyle } from "./emoji-list.js";

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
