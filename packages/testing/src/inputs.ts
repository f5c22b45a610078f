/** Mulberry32, for inputs that tests can name by a seed. */
function stream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `n` values from U[-1, 1), the same for the same seed. */
export function uniformArray(seed: number, n: number): Float32Array {
  const next = stream(seed);
  return Float32Array.from({ length: n }, () => 2 * next() - 1);
}

/** `n` values from N(0, 1), the same for the same seed. */
export function normalArray(seed: number, n: number): Float32Array {
  const next = stream(seed);
  return Float32Array.from({ length: n }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - next()));
    return radius * Math.cos(2 * Math.PI * next());
  });
}
