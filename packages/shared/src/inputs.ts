/** `n` numbers uniform on `[low, high)`, by default `[-1, 1)`, the same for the same seed on every machine. */
export function uniformArray(seed: number, n: number, low = -1, high = 1): Float32Array {
  const next = uniforms(seed);
  return Float32Array.from({ length: n }, () => low + (high - low) * next());
}

/** `n` standard normal numbers (Box-Muller), the same for the same seed on every machine. */
export function normalArray(seed: number, n: number): Float32Array {
  const next = uniforms(seed);
  return Float32Array.from(
    { length: n },
    () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  );
}

/** mulberry32: small, and good enough to spread test inputs. Kept apart from the library's own generator on purpose. */
function uniforms(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b9) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
