import { beforeAll, describe, expect, it } from "vitest";
import { IMAGE_BYTES, imageAt } from "./images.js";
import { loadMnist, type MnistData } from "./mnist.js";

describe("loadMnist", () => {
  let mnist: MnistData;
  beforeAll(async () => {
    mnist = await loadMnist();
  });

  it("has ten thousand digits, some 900 to 1,130 of each", () => {
    expect(mnist.images).toHaveLength(10_000 * IMAGE_BYTES);
    const counts = Array.from(
      { length: 10 },
      (_, digit) => mnist.labels.filter((label) => label === digit).length,
    );
    expect(counts.reduce((sum, count) => sum + count)).toBe(10_000);
    for (const count of counts) {
      expect(count).toBeGreaterThanOrEqual(850);
      expect(count).toBeLessThanOrEqual(1150);
    }
  });

  it("draws dark grey-level digits on white", () => {
    for (const index of [0, 2500, 9999]) {
      const image = imageAt(mnist.images, index);
      expect(image[0]).toBe(1);
      expect(Math.min(...image)).toBeLessThan(0.2);
      for (let i = 0; i < image.length; i += 3)
        expect(image[i] === image[i + 1] && image[i] === image[i + 2]).toBe(true);
    }
  });

  it("puts ink where each digit has it: zeros have an empty centre, ones a full one", () => {
    const center = (digit: number) => {
      let [sum, count] = [0, 0];
      for (const [index, label] of mnist.labels.entries()) {
        if (label !== digit) continue;
        sum += mnist.images[index * IMAGE_BYTES + (16 * 32 + 16) * 3];
        count++;
      }
      return sum / count;
    };
    expect(center(0)).toBeGreaterThan(200);
    expect(center(1)).toBeLessThan(80);
  });
});
