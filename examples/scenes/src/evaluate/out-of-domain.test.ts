import { describe, expect, it } from "vitest";
import { loadDigits, loadSingleEmoji } from "./out-of-domain.js";

describe("loadDigits", () => {
  it("has 100 dark digits on white of each class: zeros are empty in the middle, ones full", async () => {
    const { images, labels, size } = await loadDigits(32);
    expect([images.length, labels.length, size]).toEqual([1000 * 32 * 32 * 3, 1000, 32]);
    const centre = (digit: number) => {
      let [sum, count] = [0, 0];
      for (const [i, label] of labels.entries()) {
        if (label !== digit) continue;
        sum += images[(i * 1024 + 16 * 32 + 16) * 3];
        count++;
      }
      expect(count).toBe(100);
      return sum / count;
    };
    expect(centre(0)).toBeGreaterThan(200);
    expect(centre(1)).toBeLessThan(80);
    const corners = Array.from({ length: 1000 }, (_, i) => images[i * 3072]);
    expect(new Set(corners)).toEqual(new Set([255]));
    let coloured = 0;
    for (let i = 0; i < images.length; i += 3) if (images[i] !== images[i + 2]) coloured++;
    expect(coloured).toBe(0);
  });
});

describe("loadSingleEmoji", () => {
  it("has 16 pictures of each of 25 kinds, each another, at any size", async () => {
    const { images, labels } = await loadSingleEmoji(32);
    expect(labels.length).toBe(400);
    expect(Array.from(new Set(labels))).toEqual(Array.from({ length: 25 }, (_, i) => i));
    const pictures = Array.from({ length: 400 }, (_, i) => images.subarray(i * 3072, (i + 1) * 3072).join());
    expect(new Set(pictures).size).toBe(400);
    const large = await loadSingleEmoji(64);
    expect(large.images.length).toBe(4 * images.length);
    const mean = (bytes: Uint8Array) => bytes.reduce((sum, value) => sum + value, 0) / bytes.length;
    expect(Math.abs(mean(large.images) - mean(images))).toBeLessThan(0.5);
  });
});
