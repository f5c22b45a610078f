import * as tf from "@tensorflow/tfjs-core";
import { hashImages } from "../latents/hash-images.js";

/** Features of a frozen encoder, kept on the host by the content of the image; the least recently used make room. */
export interface FeatureCache {
  /**
   * @param images `n * size * size * 3` values
   * @param encode features `[m, d]` of those `m` images that are not kept
   * @returns `[n, d]`; the caller disposes it
   */
  features(
    images: Float32Array,
    size: number,
    encode: (images: Float32Array) => tf.Tensor,
  ): Promise<tf.Tensor>;
  clear(): void;
}

/** @param maxBytes of features that are kept */
export function createFeatureCache(maxBytes: number): FeatureCache {
  const kept = new Map<string, Float32Array>();
  let bytes = 0;
  return {
    features: async (images, size, encode) => {
      const values = size * size * 3;
      const keys = await hashImages(images, values);
      const rows = new Map<string, Float32Array>();
      for (const key of keys) {
        const row = kept.get(key);
        if (!row) continue;
        rows.set(key, row);
        // A Map lists its keys by the time of their insertion: the oldest first.
        kept.delete(key);
        kept.set(key, row);
      }
      const missing = [...new Set(keys.filter((key) => !rows.has(key)))];
      if (missing.length > 0) {
        const pixels = new Float32Array(missing.length * values);
        for (const [i, key] of missing.entries()) {
          const at = keys.indexOf(key) * values;
          pixels.set(images.subarray(at, at + values), i * values);
        }
        const fresh = encode(pixels);
        const all = (await fresh.data()) as Float32Array;
        fresh.dispose();
        const width = all.length / missing.length;
        for (const [i, key] of missing.entries()) {
          const row = all.slice(i * width, (i + 1) * width);
          rows.set(key, row);
          kept.set(key, row);
          bytes += row.byteLength;
        }
        for (const [key, row] of kept) {
          if (bytes <= maxBytes) break;
          kept.delete(key);
          bytes -= row.byteLength;
        }
      }
      const width = rows.get(keys[0])!.length;
      const result = new Float32Array(keys.length * width);
      for (const [i, key] of keys.entries()) result.set(rows.get(key)!, i * width);
      return tf.tensor2d(result, [keys.length, width]);
    },
    clear: () => {
      kept.clear();
      bytes = 0;
    },
  };
}
