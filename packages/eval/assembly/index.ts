// Dot products of rows in 16 bits, a block of queries with all candidates. One instruction multiplies eight pairs of such numbers and adds
// them in twos, where float32 needs four instructions. Rows of length `scale` have sums below 2^31 by the inequality of Cauchy and Schwarz.

/**
 * Rounds float32 rows times `scale` to int16, and pads them with zeros to a multiple of eight. It packs `group` rows together: the first
 * eight numbers of each, then the next eight of each, so that `scores` reads all of them from one address onwards.
 *
 * @param to int16 `[ceil(rows / group), width / 8, group, 8]`
 * @returns the largest length of a row's rounding errors, in units of 1 / scale
 */
export function quantize(from: usize, to: usize, rows: i32, group: i32, dim: i32, scale: f32): f64 {
  const padded = (dim + 7) & ~7;
  let largest: f64 = 0;
  for (let row = 0; row < rows; row++) {
    const place = row % group;
    const start = to + (usize((row - place) * padded + place * 8) << 1);
    let error: f64 = 0;
    for (let i = 0; i < padded; i++) {
      let rounded: f32 = 0;
      if (i < dim) {
        const value = load<f32>(from + (usize(row * dim + i) << 2)) * scale;
        rounded = nearest<f32>(value);
        const rest = f64(value - rounded);
        error += rest * rest;
      }
      store<i16>(start + (usize((i >> 3) * group * 8 + (i & 7)) << 1), i16(rounded));
    }
    largest = max(largest, error);
  }
  return sqrt<f64>(largest);
}

/** Candidates that stay in the second-level cache while the queries pass by. */
const tile: i32 = 64;

/**
 * @param queries int16 `[queryCount / 4, width / 8, 4, 8]`
 * @param candidates int16 `[count / 2, width / 8, 2, 8]`
 * @param out int32 `[queryCount, count]`
 */
export function scores(
  queries: usize,
  queryCount: i32,
  candidates: usize,
  count: i32,
  width: i32,
  out: usize,
): void {
  const rowBytes = usize(width) << 1;
  const outBytes = usize(count) << 2;
  for (let start = 0; start < count; start += tile) {
    const end = min(start + tile, count);
    for (let q = 0; q < queryCount; q += 4) {
      const first = queries + usize(q) * rowBytes;
      const last = first + 4 * rowBytes;
      for (let c = start; c < end; c += 2) {
        let b = candidates + usize(c) * rowBytes;
        let s00 = i32x4.splat(0);
        let s01 = i32x4.splat(0);
        let s10 = i32x4.splat(0);
        let s11 = i32x4.splat(0);
        let s20 = i32x4.splat(0);
        let s21 = i32x4.splat(0);
        let s30 = i32x4.splat(0);
        let s31 = i32x4.splat(0);
        for (let a = first; a < last; a += 64) {
          const b0 = v128.load(b);
          const b1 = v128.load(b, 16);
          let x = v128.load(a);
          s00 = i32x4.add(s00, i32x4.dot_i16x8_s(x, b0));
          s01 = i32x4.add(s01, i32x4.dot_i16x8_s(x, b1));
          x = v128.load(a, 16);
          s10 = i32x4.add(s10, i32x4.dot_i16x8_s(x, b0));
          s11 = i32x4.add(s11, i32x4.dot_i16x8_s(x, b1));
          x = v128.load(a, 32);
          s20 = i32x4.add(s20, i32x4.dot_i16x8_s(x, b0));
          s21 = i32x4.add(s21, i32x4.dot_i16x8_s(x, b1));
          x = v128.load(a, 48);
          s30 = i32x4.add(s30, i32x4.dot_i16x8_s(x, b0));
          s31 = i32x4.add(s31, i32x4.dot_i16x8_s(x, b1));
          b += 32;
        }
        let to = out + usize(q) * outBytes + (usize(c) << 2);
        storePair(to, s00, s01);
        storePair(to + outBytes, s10, s11);
        storePair(to + 2 * outBytes, s20, s21);
        storePair(to + 3 * outBytes, s30, s31);
      }
    }
  }
}

// @ts-ignore: decorators of AssemblyScript
@inline
function storePair(to: usize, x: v128, y: v128): void {
  store<i32>(to, sum(x));
  store<i32>(to + 4, sum(y));
}

// @ts-ignore: decorators of AssemblyScript
@inline
function sum(x: v128): i32 {
  return (
    i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3)
  );
}
