import { describe, expect, it } from "vitest";
import { IMAGE_BYTES } from "./data/images.js";
import { emojiSource } from "./emoji-source.js";

const images = Uint8Array.from({ length: 12 * IMAGE_BYTES }, (_, at) => (at * 7) % 251);
const source = (batchSize = 4, seed = 5, rows = Array.from({ length: 12 }, (_, i) => i)) =>
  emojiSource({ images, rows, batchSize, seed, augment: {} });

async function names(from: ReturnType<typeof source>, batches: number): Promise<string[]> {
  const taken: string[] = [];
  const iterator = from[Symbol.asyncIterator]();
  for (let i = 0; i < batches; i++) taken.push(...(await iterator.next()).value.names);
  return taken;
}

describe("emojiSource", () => {
  it("covers an epoch without repeats, each in another order", async () => {
    const all = await names(source(), 6);
    const [first, second] = [all.slice(0, 12), all.slice(12)];
    for (const epoch of [first, second]) expect(new Set(epoch).size).toBe(12);
    expect(first).not.toEqual(second);
    expect(await names(source(), 6)).toEqual(all);
    expect(await names(source(4, 6), 6)).not.toEqual(all);
  });

  it("leaves out what does not fill a batch, in every epoch something else", async () => {
    const rows = [0, 1, 2, 3, 4, 5, 6];
    expect(new Set(await names(source(3, 0, rows), 80)).size).toBe(7);
    expect(new Set(await names(source(3, 0, rows), 2)).size).toBe(6);
  });

  it("goes on from a position with the same images and views", async () => {
    const whole = source()[Symbol.asyncIterator]();
    for (let i = 0; i < 2; i++) await whole.next();
    const third = (await whole.next()).value;
    const resumed = source();
    resumed.restore({ batch: 2 });
    expect((await resumed[Symbol.asyncIterator]().next()).value).toEqual(third);
    expect(resumed.position()).toEqual({ batch: 3 });
    expect(() => resumed.restore({ batch: -1 })).toThrow(
      "emoji: batch must be an integer, at least 0, got -1",
    );
  });

  it("refuses a batch larger than the data", () => {
    expect(() => source(13)).toThrow("batch: must be at most 12, the number of images, got 13");
  });
});
