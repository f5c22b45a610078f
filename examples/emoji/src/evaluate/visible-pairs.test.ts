import { beforeAll, describe, expect, it } from "vitest";
import { detailPairImages } from "../data/detail-pairs.js";
import { type EmojiData, type EmojiItem, loadEmoji } from "../data/emoji.js";
import { emojiStyles } from "../data/emoji-list.js";
import { readReservedCodes } from "../data/emoji-split.js";
import { IMAGE_BYTES } from "../data/images.js";
import { visiblePairs } from "./visible-pairs.js";

/** Images of one grey each. */
function emojiOf(list: (Partial<EmojiItem> & { grey: number })[]): EmojiData {
  const images = new Uint8Array(list.length * IMAGE_BYTES);
  const items = list.map(({ grey, code = "A", ...rest }, row): EmojiItem => {
    images.fill(grey, row * IMAGE_BYTES, (row + 1) * IMAGE_BYTES);
    const words = { name: code, otherNames: [], tags: [], category: "objects", subcategory: "tool" };
    return { ...words, style: "google", split: "validation", code, baseCode: code, ...rest };
  });
  return { items, images };
}
const both = (code: string, grey: number, rest: Partial<EmojiItem> = {}) =>
  emojiStyles.map((style) => ({ code, grey, style, ...rest }));

describe("visiblePairs", () => {
  it("pairs each code with the one of its category that looks most like it, once", () => {
    const pairs = visiblePairs(
      emojiOf([
        ...both("A", 0),
        ...both("B", 100),
        ...both("C", 120),
        ...both("other category", 101, { category: "symbols" }),
        ...both("trained on", 119, { split: "train" }),
        ...both("reserved", 1, { split: "reserved" }),
        ...both("variant", 2, { baseCode: "A" }),
        { code: "one style", grey: 121 },
      ]),
    );
    expect(pairs.map(({ id, pattern }) => [id, pattern])).toEqual([
      ["A/B", "objects"],
      ["B/C", "objects"],
    ]);
    expect(pairs[0].a).toEqual({ code: "A", statement: "an emoji of A" });
  });

  describe("of the real emoji", () => {
    let emoji: EmojiData;
    beforeAll(async () => {
      emoji = await loadEmoji();
    });

    it("shows no reserved code, in either drawing", () => {
      const reserved = readReservedCodes();
      const pairs = visiblePairs(emoji);
      expect(pairs.length).toBeGreaterThan(50);
      for (const pair of pairs) {
        expect(pair.a.code).not.toBe(pair.b.code);
        expect(reserved.has(pair.a.code) || reserved.has(pair.b.code), pair.id).toBe(false);
        for (const style of emojiStyles) {
          for (const row of detailPairImages(emoji, pair, style)) {
            expect(emoji.items[row].split, pair.id).toBe("validation");
          }
        }
      }
    });
  });
});
