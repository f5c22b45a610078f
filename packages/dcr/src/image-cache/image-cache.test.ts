import { describe, expect, it } from "vitest";
import { hashImages } from "./hash-images.js";
import { createImageCache, type ImageRow, type RowStore } from "./image-cache.js";

const size = 1;
/** Images of one pixel, told apart by a number. */
const imagesOf = (...numbers: number[]) => Float32Array.from(numbers.flatMap((x) => [x, 0, 1]));

/** Rows of two numbers, eight bytes, and a list of what was computed. */
function computer() {
  const computed: number[] = [];
  const compute = async (images: Float32Array): Promise<ImageRow[]> =>
    Array.from({ length: images.length / 3 }, (_, i) => {
      computed.push(images[3 * i]);
      return { values: Float32Array.of(images[3 * i], 2 * images[3 * i]), shape: [2] };
    });
  return { computed, compute };
}

const firsts = (rows: ImageRow[]) => rows.map(({ values }) => values[0]);

describe("hashImages", () => {
  it("is SHA-256 of the pixels' bytes", async () => {
    const [zero, one, again] = await hashImages(Float32Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0), 3);
    // printf '\\0%.0s' {1..12} | sha256sum
    expect(zero).toBe("15ec7bf0b50732b49f8228e07d24365338f9e3ab994b00af08e5a3bffe55fd8b");
    expect(again).toBe(zero);
    expect(one).not.toBe(zero);
  });
});

describe("createImageCache", () => {
  it("computes an image once, also where it is twice in a batch, and keeps the order", async () => {
    const { computed, compute } = computer();
    const cache = createImageCache(1000);
    expect(firsts(await cache.rows(imagesOf(3, 1, 3), size, compute))).toEqual([3, 1, 3]);
    expect(firsts(await cache.rows(imagesOf(1, 2, 3), size, compute))).toEqual([1, 2, 3]);
    expect(computed).toEqual([3, 1, 2]);
    cache.clear();
    await cache.rows(imagesOf(3), size, compute);
    expect(computed).toEqual([3, 1, 2, 3]);
  });

  it("lets the least recently used go", async () => {
    const { computed, compute } = computer();
    const cache = createImageCache(16);
    for (const image of [1, 2, 1, 3, 1, 2]) await cache.rows(imagesOf(image), size, compute);
    expect(computed).toEqual([1, 2, 3, 2]);
  });

  it("has all its room again when it is cleared", async () => {
    const { computed, compute } = computer();
    const cache = createImageCache(16);
    await cache.rows(imagesOf(1, 2), size, compute);
    cache.clear();
    for (const image of [1, 2, 1, 2]) await cache.rows(imagesOf(image), size, compute);
    expect(computed).toEqual([1, 2, 1, 2]);
  });

  it("gives each image its own row, by the pixels of all its places", async () => {
    const { compute } = computer();
    const seen: number[][] = [];
    const cache = createImageCache(0);
    await cache.rows(
      Float32Array.from({ length: 36 }, (_, i) => i % 24),
      2,
      async (images) => {
        seen.push(Array.from(images));
        return compute(images.filter((_, i) => i % 12 < 3));
      },
    );
    // Three images of 2 x 2, of which the third is the first again.
    expect(seen).toEqual([Array.from({ length: 24 }, (_, i) => i)]);
  });

  it("keeps nothing in no bytes", async () => {
    const { computed, compute } = computer();
    const cache = createImageCache(0);
    for (const image of [1, 1]) await cache.rows(imagesOf(image), size, compute);
    expect(computed).toEqual([1, 1]);
  });

  it("asks a store where memory has no row, and gives what the store will give", async () => {
    const { computed, compute } = computer();
    const stored = new Map<string, ImageRow>();
    let opened = 0;
    const open = async (): Promise<RowStore> => {
      opened++;
      return {
        read: async (key) => stored.get(key),
        write: async (key, { values, shape }) => {
          const row = { values: values.map(Math.round), shape };
          stored.set(key, row);
          return row;
        },
      };
    };
    for (const maxBytes of [0, 1000]) {
      const cache = createImageCache(maxBytes, open);
      const image = imagesOf(0.75);
      const rows = [await cache.rows(image, size, compute), await cache.rows(image, size, compute)];
      expect(rows.map(firsts)).toEqual([[1], [1]]);
    }
    expect(computed).toEqual([0.75]);
    expect(opened).toBe(2);
  });
});
