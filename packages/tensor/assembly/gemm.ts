/**
 * C = alpha * A B (+ C), row-major C, A and B with any strides, so that every transpose and every head of an
 * interleaved [tokens, heads * width] matrix is read in place.
 *
 * Panels of 4 rows of A and 8 columns of B are packed, zero-padded, a block of `KC` deep at a time; the inner tile
 * keeps its 4 x 8 sums in eight registers, which together with the operands fills the 16 that x86-64 has.
 */
export const KC: i32 = 256;
export const MC: i32 = 64;

/** Packs columns j..j+7 of a [depth, n] matrix as [depth, 8]. Strides in bytes. */
function packB(b: usize, rowStride: usize, columnStride: usize, depth: i32, n: i32, to: usize): void {
  for (let j = 0; j < n; j += 8) {
    const width = min(8, n - j);
    const source = b + <usize>j * columnStride;
    if (width == 8 && columnStride == 4) {
      for (let p = 0; p < depth; p++) {
        const row = source + <usize>p * rowStride;
        v128.store(to, v128.load(row));
        v128.store(to, v128.load(row, 16), 16);
        to += 32;
      }
    } else if (width == 8 && rowStride == 4) {
      packTransposed8(source, columnStride, depth, to);
      to += <usize>depth * 32;
    } else {
      for (let p = 0; p < depth; p++) {
        const row = source + <usize>p * rowStride;
        for (let c = 0; c < 8; c++) {
          store<f32>(to + ((<usize>c) << 2), c < width ? load<f32>(row + <usize>c * columnStride) : 0);
        }
        to += 32;
      }
    }
  }
}

/** Eight contiguous runs of `depth` floats, `stride` bytes apart, interleaved as [depth, 8]. */
function packTransposed8(from: usize, stride: usize, depth: i32, to: usize): void {
  transpose4(from, stride, depth, to, 32);
  transpose4(from + 4 * stride, stride, depth, to + 16, 32);
}

/** Four contiguous runs of `depth` floats, `stride` bytes apart, to rows of 4 that lie `step` bytes apart. */
function transpose4(from: usize, stride: usize, depth: i32, to: usize, step: usize): void {
  let p = 0;
  let at = from;
  for (; p + 4 <= depth; p += 4) {
    const r0 = v128.load(at);
    const r1 = v128.load(at + stride);
    const r2 = v128.load(at + 2 * stride);
    const r3 = v128.load(at + 3 * stride);
    const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(a, b, 0, 1, 4, 5));
    v128.store(to + step, v128.shuffle<f32>(a, b, 2, 3, 6, 7));
    v128.store(to + 2 * step, v128.shuffle<f32>(c, d, 0, 1, 4, 5));
    v128.store(to + 3 * step, v128.shuffle<f32>(c, d, 2, 3, 6, 7));
    at += 16;
    to += 4 * step;
  }
  for (; p < depth; p++) {
    for (let i: usize = 0; i < 4; i++) store<f32>(to + (i << 2), load<f32>(at + i * stride));
    at += 4;
    to += step;
  }
}

/** Packs rows i..i+3 of an [m, depth] matrix as [depth, 4]. Strides in bytes. */
function packA(a: usize, rowStride: usize, columnStride: usize, m: i32, depth: i32, to: usize): void {
  for (let i = 0; i < m; i += 4) {
    const height = min(4, m - i);
    const source = a + <usize>i * rowStride;
    if (height == 4 && columnStride == 4) {
      transpose4(source, rowStride, depth, to, 16);
      to += <usize>depth * 16;
    } else if (height == 4 && rowStride == 4) {
      for (let p = 0; p < depth; p++) {
        v128.store(to, v128.load(source + <usize>p * columnStride));
        to += 16;
      }
    } else {
      for (let p = 0; p < depth; p++) {
        const column = source + <usize>p * columnStride;
        for (let r = 0; r < 4; r++) {
          store<f32>(to + ((<usize>r) << 2), r < height ? load<f32>(column + <usize>r * rowStride) : 0);
        }
        to += 16;
      }
    }
  }
}

// @ts-expect-error: decorator
@inline
function put(c: usize, low: v128, high: v128, alpha: v128, add: bool): void {
  low = f32x4.mul(low, alpha);
  high = f32x4.mul(high, alpha);
  if (add) {
    low = f32x4.add(low, v128.load(c));
    high = f32x4.add(high, v128.load(c, 16));
  }
  v128.store(c, low);
  v128.store(c, high, 16);
}

/** One 4 x 8 tile from packed panels. */
function tile(depth: i32, a: usize, b: usize, c: usize, rowStride: usize, alpha: f32, add: bool): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  for (let p = 0; p < depth; p++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load_splat<f32>(a);
    c00 = f32x4.add(c00, f32x4.mul(a0, b0));
    c01 = f32x4.add(c01, f32x4.mul(a0, b1));
    const a1 = v128.load_splat<f32>(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(a1, b0));
    c11 = f32x4.add(c11, f32x4.mul(a1, b1));
    const a2 = v128.load_splat<f32>(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(a2, b0));
    c21 = f32x4.add(c21, f32x4.mul(a2, b1));
    const a3 = v128.load_splat<f32>(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(a3, b0));
    c31 = f32x4.add(c31, f32x4.mul(a3, b1));
    a += 16;
    b += 32;
  }
  const factor = f32x4.splat(alpha);
  put(c, c00, c01, factor, add);
  put(c + rowStride, c10, c11, factor, add);
  put(c + 2 * rowStride, c20, c21, factor, add);
  put(c + 3 * rowStride, c30, c31, factor, add);
}

/** All tiles of a packed block: A panels [m, depth], B panels [depth, n]; `edge` is room for one tile. */
export function block(
  m: i32,
  n: i32,
  depth: i32,
  packedA: usize,
  packedB: usize,
  c: usize,
  rowStride: usize,
  alpha: f32,
  add: bool,
  edge: usize,
): void {
  for (let j = 0; j < n; j += 8) {
    const b = packedB + <usize>j * <usize>depth * 4;
    for (let i = 0; i < m; i += 4) {
      const a = packedA + <usize>i * <usize>depth * 4;
      const to = c + <usize>i * rowStride + ((<usize>j) << 2);
      if (i + 4 <= m && j + 8 <= n) {
        tile(depth, a, b, to, rowStride, alpha, add);
        continue;
      }
      tile(depth, a, b, edge, 32, alpha, false);
      const height = min(4, m - i);
      const width = min(8, n - j);
      for (let r: usize = 0; r < <usize>height; r++) {
        for (let s: usize = 0; s < <usize>width; s++) {
          const at = to + r * rowStride + (s << 2);
          const value = load<f32>(edge + (r << 5) + (s << 2));
          store<f32>(at, add ? load<f32>(at) + value : value);
        }
      }
    }
  }
}

/** Depth from which the sums over blocks are compensated: before, their rounding errors are below 16 units in the last place. */
export const LONG: i32 = 16 * KC;

/** to = from, or to += from with Kahan's compensation, which an infinity leaves alone. */
function addBlock(count: i32, from: usize, to: usize, compensation: usize, add: bool): void {
  const bytes = <usize>4 * <usize>count;
  for (let j: usize = 0; j < bytes; j += 4) {
    const value = load<f32>(from + j);
    if (!add) {
      store<f32>(to + j, value);
      continue;
    }
    const before = load<f32>(to + j);
    const term = value - load<f32>(compensation + j);
    const after = before + term;
    const error = after - before - term;
    store<f32>(compensation + j, error == error ? error : 0);
    store<f32>(to + j, after);
  }
}

/** Strides are in floats. `scratch` is sized by `gemmScratch` of backend/wasm/scratch.ts. */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  b: usize,
  bRow: i32,
  bColumn: i32,
  c: usize,
  cRow: i32,
  alpha: f32,
  accumulate: bool,
  scratch: usize,
): void {
  const packedB = scratch + 128;
  const packedA = packedB + <usize>4 * <usize>KC * <usize>((n + 7) & ~7);
  if (k > LONG) {
    // Rows outermost: one block of sums and compensations at a time.
    const sums = packedA + <usize>4 * <usize>KC * <usize>MC;
    const compensations = sums + <usize>4 * <usize>MC * <usize>n;
    for (let i = 0; i < m; i += MC) {
      const height = min(MC, m - i);
      memory.fill(compensations, 0, <usize>4 * <usize>height * <usize>n);
      for (let p = 0; p < k; p += KC) {
        const depth = min(KC, k - p);
        packB(b + <usize>4 * <usize>p * <usize>bRow, <usize>bRow << 2, <usize>bColumn << 2, depth, n, packedB);
        packA(
          a + <usize>4 * (<usize>i * <usize>aRow + <usize>p * <usize>aColumn),
          <usize>aRow << 2, <usize>aColumn << 2, height, depth, packedA,
        );
        block(height, n, depth, packedA, packedB, sums, <usize>n << 2, alpha, false, scratch);
        for (let r = 0; r < height; r++) {
          const row = <usize>4 * <usize>r * <usize>n;
          const to = c + <usize>4 * <usize>(i + r) * <usize>cRow;
          addBlock(n, sums + row, to, compensations + row, accumulate || p > 0);
        }
      }
    }
    return;
  }
  for (let p = 0; p < k; p += KC) {
    const depth = min(KC, k - p);
    packB(b + <usize>4 * <usize>p * <usize>bRow, <usize>bRow << 2, <usize>bColumn << 2, depth, n, packedB);
    for (let i = 0; i < m; i += MC) {
      const height = min(MC, m - i);
      packA(
        a + <usize>4 * (<usize>i * <usize>aRow + <usize>p * <usize>aColumn),
        <usize>aRow << 2, <usize>aColumn << 2, height, depth, packedA,
      );
      block(
        height, n, depth, packedA, packedB, c + <usize>4 * <usize>i * <usize>cRow, <usize>cRow << 2,
        alpha, accumulate || p > 0, scratch,
      );
    }
  }
}

/** `batch` products; each operand's distance between batches is in floats, 0 repeats it. */
export function batchedGemm(
  batch: i32,
  aBatch: i32,
  bBatch: i32,
  cBatch: i32,
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  b: usize,
  bRow: i32,
  bColumn: i32,
  c: usize,
  scratch: usize,
): void {
  for (let i = 0; i < batch; i++) {
    gemm(
      m, n, k,
      a + <usize>4 * <usize>(i * aBatch), aRow, aColumn,
      b + <usize>4 * <usize>(i * bBatch), bRow, bColumn,
      c + <usize>4 * <usize>(i * cBatch), n, 1, false, scratch,
    );
  }
}
