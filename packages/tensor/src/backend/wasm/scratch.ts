const { ceil, max } = Math;

// As in assembly/gemm.ts.
const [KC, MC] = [256, 64];
const LONG = 16 * KC;

/** Bytes of scratch that assembly/gemm.ts needs for products with `n` columns and depth `k`. */
export const gemmScratch = (n: number, k: number) =>
  128 + 4 * KC * (8 * ceil(n / 8) + MC) + (k > LONG ? 8 * MC * n : 0);

/** Bytes of scratch that assembly/attention.ts needs for one head. */
export const attentionScratch = (queries: number, keys: number, width: number) =>
  8 * queries * keys + gemmScratch(max(keys, width), max(queries, keys, width)) + 64;
