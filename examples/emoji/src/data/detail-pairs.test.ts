import { beforeAll, describe, expect, it } from "vitest";
import { detailPairImages, loadDetailPairs } from "./detail-pairs.js";
import { type EmojiData, loadEmoji } from "./emoji.js";
import { emojiStyles } from "./emoji-list.js";
import { readReservedCodes } from "./emoji-split.js";

const pairs = loadDetailPairs();

describe("loadDetailPairs", () => {
  let emoji: EmojiData;
  beforeAll(async () => {
    emoji = await loadEmoji();
  });

  it("has nine patterns, each with at least five core pairs", () => {
    const patterns = [...new Set(pairs.map(({ pattern }) => pattern))];
    expect(pairs).toHaveLength(173);
    expect(patterns).toHaveLength(9);
    for (const pattern of patterns) {
      expect(pairs.filter((pair) => pair.pattern === pattern && pair.core).length).toBeGreaterThanOrEqual(5);
    }
  });

  it("uses reserved codes only, with two different images in every style", () => {
    const reserved = readReservedCodes();
    for (const pair of pairs) {
      expect(reserved.has(pair.a.code) && reserved.has(pair.b.code), pair.id).toBe(true);
      for (const style of emojiStyles) {
        const [a, b] = detailPairImages(emoji, pair, style);
        expect(emoji.items[a]).toMatchObject({ code: pair.a.code, style, split: "reserved" });
        expect(emoji.items[b]).toMatchObject({ code: pair.b.code, style, split: "reserved" });
        expect(a).not.toBe(b);
      }
    }
  });
});
