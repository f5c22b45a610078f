import { beforeAll, describe, expect, it } from "vitest";
import { loadDetailPairs } from "../data/detail-pairs.js";
import { type EmojiData, loadEmoji } from "../data/emoji.js";
import { discriminationSet } from "./evaluate.js";

let emoji: EmojiData;
beforeAll(async () => {
  emoji = await loadEmoji();
});

describe.each(["reserved", "validation"] as const)("discriminationSet of %s codes", (evaluate) => {
  it("has images of that split alone, no variant, and no code of a detail pair", () => {
    const { rows } = discriminationSet(emoji, evaluate);
    const inPairs = new Set(loadDetailPairs().flatMap(({ a, b }) => [a.code, b.code]));
    expect(new Set(rows).size).toBe(rows.length);
    for (const row of rows) {
      const { split, code, baseCode } = emoji.items[row];
      expect(split, code).toBe(evaluate);
      expect(baseCode).toBe(code);
      expect(inPairs.has(code), code).toBe(false);
    }
  });

  it("has subcategories as classes, each of eight images or, of the fewer validation codes, four", () => {
    const { rows, labels, classes } = discriminationSet(emoji, evaluate);
    expect(classes.length).toBeGreaterThan(4);
    expect(new Set(classes).size).toBe(classes.length);
    expect(Array.from(labels, (label) => classes[label])).toEqual(
      rows.map((row) => emoji.items[row].subcategory),
    );
    for (const label of classes.keys()) {
      expect(labels.filter((own) => own === label).length, classes[label]).toBeGreaterThanOrEqual(
        evaluate === "reserved" ? 8 : 4,
      );
    }
  });
});
