import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialize, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { captionTexts, plainCaption, sampleCaption, styledCaption } from "./captions.js";
import { decodeImages, type EmojiData, itemIndices, loadEmoji } from "./emoji.js";
import { emojiStyles, packageFolder } from "./emoji-list.js";
import { readReservedCodes, splitEmoji, VALIDATION_SHARE } from "./emoji-split.js";
import { IMAGE_BYTES, imageAt, imageTensor } from "./images.js";

let emoji: EmojiData;
let reserved: Set<string>;

beforeAll(async () => {
  emoji = await loadEmoji();
  reserved = readReservedCodes();
});

const picture = (row: number) =>
  createHash("sha256")
    .update(emoji.images.subarray(row * IMAGE_BYTES, (row + 1) * IMAGE_BYTES))
    .digest("hex");

describe("loadEmoji", () => {
  it("has every code of the two packages in both styles", () => {
    expect(emoji.items).toHaveLength(7572);
    expect(emoji.images).toHaveLength(7572 * IMAGE_BYTES);
    for (const style of emojiStyles) {
      expect(itemIndices(emoji.items, (item) => item.style === style)).toHaveLength(3786);
    }
  });

  it("keeps reserved codes, their skin-tone variants and their exact copies out of training and validation", () => {
    const rows = itemIndices(emoji.items, ({ split }) => split === "train" || split === "validation");
    const reservedBases = new Set(
      emoji.items.filter(({ code }) => reserved.has(code)).map(({ baseCode }) => baseCode),
    );
    const reservedPictures = new Set(itemIndices(emoji.items, ({ code }) => reserved.has(code)).map(picture));
    expect(reservedBases.size).toBeGreaterThan(500);
    for (const row of rows) {
      const { code, baseCode } = emoji.items[row];
      expect(reserved.has(code), code).toBe(false);
      expect(reservedBases.has(baseCode), code).toBe(false);
      expect(reservedPictures.has(picture(row)), code).toBe(false);
    }
  });

  it("shows no validation picture in training, and gives a code one split in both styles", () => {
    const splitOf = new Map<string, string>();
    for (const { code, split } of emoji.items) {
      expect(splitOf.get(code) ?? split, code).toBe(split);
      splitOf.set(code, split);
    }
    const rowsOf = (wanted: string) => itemIndices(emoji.items, ({ split }) => split === wanted);
    const trained = new Set(rowsOf("train").map(picture));
    const validation = rowsOf("validation");
    expect(validation.length / (validation.length + rowsOf("train").length)).toBeCloseTo(VALIDATION_SHARE, 1);
    for (const row of validation) expect(trained.has(picture(row)), emoji.items[row].code).toBe(false);
  });

  it("sets flags apart", () => {
    for (const { category, split } of emoji.items) {
      if (category === "flags") expect(["flag", "reserved"]).toContain(split);
    }
  });

  it("composites on white and keeps colours", () => {
    const heart = itemIndices(
      emoji.items,
      ({ code, style }) => code === "2764-FE0F" && style === "google",
    )[0];
    const image = imageAt(emoji.images, heart);
    expect(Array.from(image.subarray(0, 3))).toEqual([1, 1, 1]);
    const center = Array.from(image.subarray((14 * 32 + 16) * 3, (14 * 32 + 16) * 3 + 3));
    expect(center[0]).toBeGreaterThan(0.8);
    expect(Math.max(center[1], center[2])).toBeLessThan(0.4);
  });
});

describe("decodeImages", () => {
  it("expands grey and palette images", async () => {
    const folder = join(packageFolder("emoji-datasource-google"), "img/google/64");
    const bytes = await decodeImages(["26aa.png", "1f3b1.png"].map((file) => join(folder, file)));
    expect(bytes).toHaveLength(2 * IMAGE_BYTES);
    expect(new Set(bytes.subarray(0, IMAGE_BYTES)).size).toBeGreaterThan(3);
  });

  it("names the file that it cannot read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "emoji-"));
    const path = join(folder, "broken.png");
    try {
      await writeFile(path, "not a picture");
      await expect(decodeImages([path])).rejects.toThrow(`cannot decode ${path}`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("splitEmoji", () => {
  const code = (name: string, picture: string, baseCode = name) => ({
    code: name,
    baseCode,
    category: "objects",
    pictures: [`google ${picture}`],
  });

  it("reserves through copies of variants, whatever the order", () => {
    const codes = [
      code("A", "a"),
      code("A-1", "a1", "A"),
      code("B", "a1"),
      code("C", "c"),
      code("B-2", "r", "B"),
      code("R", "r"),
    ];
    const splits = splitEmoji(codes, new Set(["R"]));
    expect(splits.map((split) => split === "reserved")).toEqual([true, true, true, false, true, true]);
    const reversed = splitEmoji([...codes].reverse(), new Set(["R"])).reverse();
    expect(reversed).toEqual(splits);
  });
});

describe("captions", () => {
  it("are drawn from the words of their item, the same for the same seed", () => {
    const item = emoji.items[itemIndices(emoji.items, ({ split }) => split === "train")[100]];
    const words = new Set(captionTexts([item]).flatMap((text) => text.split(" ")));
    const draw = (seed: number) => {
      const random = new Random(seed);
      return Array.from({ length: 50 }, () => sampleCaption(item, random));
    };
    const captions = draw(1);
    expect(captions).toEqual(draw(1));
    expect(new Set(captions).size).toBeGreaterThan(8);
    for (const caption of captions)
      for (const word of caption.split(" ")) expect(words, caption).toContain(word);
  });

  it("say name and style where they should", () => {
    const item = emoji.items.find(({ code, style }) => code === "1F968" && style === "twitter")!;
    expect(plainCaption(item)).toBe("an emoji of pretzel");
    expect(styledCaption(item)).toBe("a twemoji emoji of pretzel");
  });
});

describe("imageTensor", () => {
  it("gives the rows asked for, in [0, 1]", async () => {
    await initialize({ device: "cpu" });
    const before = tf.memory().numTensors;
    const tensor = imageTensor(emoji.images, [5, 3]);
    const values = tensor.dataSync();
    expect(tensor.shape).toEqual([2, 32, 32, 3]);
    expect(values.subarray(IMAGE_BYTES)).toEqual(imageAt(emoji.images, 3));
    expect(values.every((value) => value >= 0 && value <= 1)).toBe(true);
    tensor.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it("refuses a row that does not exist", () => {
    expect(() => imageTensor(emoji.images, [7572])).toThrow(
      "index must be an integer in [0, 7572), got 7572",
    );
  });
});
