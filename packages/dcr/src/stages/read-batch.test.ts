import type { ImageSource } from "@dcr-js/data";
import { describe, expect, it } from "vitest";
import { testBatch, testSource } from "../../test/setting.js";
import { readBatches } from "./read-batch.js";

/** A source whose readers are counted: how many began, and how many were closed. */
function counted() {
  const plain = testSource();
  const counts = { began: 0, closed: 0 };
  const source: ImageSource = {
    ...plain,
    async *[Symbol.asyncIterator]() {
      counts.began++;
      // This reader reads ahead: it copies the position once and counts its own batches.
      let { batches } = plain.position() as { batches: number };
      try {
        for (;;) yield testBatch([batches++, 0, 0]);
      } finally {
        counts.closed++;
      }
    },
  };
  return { source, counts };
}

describe("readBatches", () => {
  it("reads one after the other, from the source's position after a restart", async () => {
    const { source, counts } = counted();
    expect(() => readBatches({} as never)).toThrow(
      "readBatches: source[Symbol.asyncIterator] must be a function, got undefined",
    );
    const reader = readBatches(source);
    const first = async () => (await reader.next()).names[0];
    expect(counts).toEqual({ began: 0, closed: 0 });
    expect([await first(), await first()]).toEqual(["image 0", "image 1"]);
    expect(counts).toEqual({ began: 1, closed: 0 });
    source.restore({ batches: 5 });
    expect(await first()).toBe("image 2");
    await reader.restart();
    expect(counts).toEqual({ began: 1, closed: 1 });
    expect(await first()).toBe("image 5");
    await reader.close();
    expect(counts).toEqual({ began: 2, closed: 2 });
    await reader.close();
    expect(counts).toEqual({ began: 2, closed: 2 });
  });

  it("needs no reader that can be closed, and says that a source ended", async () => {
    let left = 1;
    const source = {
      ...testSource(),
      [Symbol.asyncIterator]: () => ({
        next: async () => (left-- > 0 ? { value: testBatch([0, 1, 2]) } : { done: true, value: undefined }),
      }),
    } as ImageSource;
    const reader = readBatches(source);
    expect((await reader.next()).names).toEqual(["image 0", "image 1", "image 2"]);
    await expect(reader.next()).rejects.toThrow("source: ended; a training source must go on");
    await expect(reader.close()).resolves.toBeUndefined();
  });
});
