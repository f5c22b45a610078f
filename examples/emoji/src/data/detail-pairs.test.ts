import { beforeAll, describe, expect, it } from "vitest";
import { detailPairImages, loadDetailPairs, splitDetailPairs } from "./detail-pairs.js";
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

describe("splitDetailPairs", () => {
  it("parts every pattern 30 to 70, the same for the same seed", () => {
    const { choose, report } = splitDetailPairs(pairs, 3);
    expect(choose.length + report.length).toBe(pairs.length);
    expect(new Set([...choose, ...report].map(({ id }) => id)).size).toBe(pairs.length);
    for (const pattern of new Set(pairs.map((pair) => pair.pattern))) {
      const count = (list: typeof pairs) => list.filter((pair) => pair.pattern === pattern).length;
      expect(count(choose)).toBe(Math.round(0.3 * count(pairs)));
    }
    expect(
      splitDetailPairs([...pairs].reverse(), 3)
        .choose.map(({ id }) => id)
        .sort(),
    ).toEqual(choose.map(({ id }) => id).sort());
    expect(splitDetailPairs(pairs, 4).choose).not.toEqual(choose);
  });
});
