import { philox } from "./shared/philox.js";

/** Uniform numbers in [0, 1), 32 bits each: a function of the seed and the stream only. */
export function uniforms(seed: number, stream: number): () => number {
  const words = new Uint32Array(4);
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] as const;
  let [block, next] = [0, 4];
  return () => {
    if (next === 4) {
      philox(key, [block++, 0, stream >>> 0, 0], words);
      next = 0;
    }
    return words[next++] / 2 ** 32;
  };
}

/** Integers in `0..n-1`. */
export const integers = (uniform: () => number, n: number): number =>
  Math.min(n - 1, Math.floor(uniform() * n));
