import { hashImages } from "./hash-images.js";

/** Values computed from an image, on the host. */
export interface ImageRow {
  values: Float32Array;
  shape: number[];
}

/** A place that rows are kept in by the name of their image, such as a folder. */
export interface RowStore {
  /** @returns undefined where there is no row, or none that can be read */
  read(key: string): Promise<ImageRow | undefined>;
  /** @returns the row as it will be read, which may be rounded */
  write(key: string, row: ImageRow): Promise<ImageRow>;
}

/**
 * Keeps what a frozen model computes from an image, by the image's content: in host memory, where the least recently used make
 * room, and in a store if there is one.
 */
export interface ImageCache {
  /**
   * @param images `n * size * size * 3` values @param size width and height, in pixels
   * @param compute the rows of those images that are not kept, given as `images` is
   * @returns one row for each image, all of one shape; they are the cache's, not to be changed
   */
  rows(
    images: Float32Array,
    size: number,
    compute: (images: Float32Array) => Promise<ImageRow[]>,
  ): Promise<ImageRow[]>;
  clear(): void;
}

/**
 * @param maxBytes of rows that are kept in memory; 0 keeps none
 * @param openStore opens the store that is asked where memory has no row, once, when it is first needed
 */
export function createImageCache(maxBytes: number, openStore?: () => Promise<RowStore>): ImageCache {
  const kept = new Map<string, ImageRow>();
  let bytes = 0;
  let opened: Promise<RowStore> | undefined;
  const keep = (key: string, row: ImageRow) => {
    // A Map lists its keys by the time of their insertion: the oldest first.
    if (kept.delete(key)) bytes -= row.values.byteLength;
    kept.set(key, row);
    bytes += row.values.byteLength;
    for (const [oldest, { values }] of kept) {
      if (bytes <= maxBytes) break;
      kept.delete(oldest);
      bytes -= values.byteLength;
    }
  };
  return {
    rows: async (images, size, compute) => {
      const values = size * size * 3;
      const keys = await hashImages(images, values);
      if (openStore) opened ??= openStore();
      const store = await opened;
      const found = new Map<string, ImageRow>();
      for (const key of new Set(keys)) {
        const row = kept.get(key) ?? (await store?.read(key));
        if (row) found.set(key, row);
      }
      const missing = [...new Set(keys)].filter((key) => !found.has(key));
      if (missing.length > 0) {
        const pixels = new Float32Array(missing.length * values);
        for (const [i, key] of missing.entries()) {
          const start = keys.indexOf(key) * values;
          pixels.set(images.subarray(start, start + values), i * values);
        }
        const fresh = await compute(pixels);
        for (const [i, key] of missing.entries()) {
          // A row is the same whether it was just computed or read, so that a resumed run sees the same numbers.
          found.set(key, store ? await store.write(key, fresh[i]) : fresh[i]);
        }
      }
      const rows = keys.map((key) => found.get(key)!);
      for (const [i, key] of keys.entries()) keep(key, rows[i]);
      return rows;
    },
    clear: () => {
      kept.clear();
      bytes = 0;
    },
  };
}
