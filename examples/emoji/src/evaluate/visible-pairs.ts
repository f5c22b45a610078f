import { plainCaption } from "../data/captions.js";
import type { DetailPair } from "../data/detail-pairs.js";
import { type EmojiData, itemIndices } from "../data/emoji.js";
import { IMAGE_BYTES } from "../data/images.js";

/**
 * Pairs to choose settings with, so that the reserved ones stay unseen: each held-out visible code with the code of
 * its category that looks most like it in google's drawing, by mean absolute difference of pixels.
 */
export function visiblePairs({ items, images }: EmojiData): DetailPair[] {
  const twitter = new Set(items.flatMap(({ style, code }) => (style === "twitter" ? [code] : [])));
  const rows = itemIndices(
    items,
    ({ split, style, code, baseCode }) => split === "validation" && style === "google" && code === baseCode,
  ).filter((row) => twitter.has(items[row].code));
  const difference = (a: number, b: number) => {
    let sum = 0;
    for (let i = 0; i < IMAGE_BYTES; i++)
      sum += Math.abs(images[a * IMAGE_BYTES + i] - images[b * IMAGE_BYTES + i]);
    return sum;
  };
  const seen = new Set<string>();
  return rows.flatMap((row) => {
    const others = rows.filter((other) => other !== row && items[other].category === items[row].category);
    if (others.length === 0) return [];
    const differences = others.map((other) => difference(row, other));
    const nearest = others[differences.indexOf(Math.min(...differences))];
    const [first, second] = [row, nearest].sort((a, b) => a - b).map((i) => items[i]);
    const id = `${first.code}/${second.code}`;
    if (seen.has(id)) return [];
    seen.add(id);
    const side = (item: typeof first) => ({ code: item.code, statement: plainCaption(item) });
    return [
      { id, pattern: first.category, topic: first.subcategory, core: false, a: side(first), b: side(second) },
    ];
  });
}
