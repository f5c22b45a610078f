/**
 * Sums whose error does not grow with their length: float64 totals, of single elements along rows, and down columns of float32 sums
 * of a few rows, which are read in the order of memory.
 */

/** Rows that are summed in float32 before they are added to the totals. */
const ROWS: i32 = 32;

// @ts-expect-error: decorator
@inline
function high(x: v128): v128 {
  return v128.shuffle<f32>(x, x, 2, 3, 2, 3);
}

/** The sum of contiguous floats. */
export function total(count: i32, x: usize): f64 {
  const bytes = <usize>4 * <usize>count;
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const v = v128.load(x + i);
    a = f64x2.add(a, f64x2.promote_low_f32x4(v));
    b = f64x2.add(b, f64x2.promote_low_f32x4(high(v)));
  }
  a = f64x2.add(a, b);
  let sum = f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1);
  for (; i < bytes; i += 4) sum += <f64>load<f32>(x + i);
  return sum;
}

/** The sum of (x - shift)^2 of contiguous floats. */
export function totalSquares(count: i32, shift: f32, x: usize): f64 {
  const bytes = <usize>4 * <usize>count;
  const shifts = f32x4.splat(shift);
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const v = f32x4.sub(v128.load(x + i), shifts);
    const low = f64x2.promote_low_f32x4(v);
    const top = f64x2.promote_low_f32x4(high(v));
    a = f64x2.add(a, f64x2.mul(low, low));
    b = f64x2.add(b, f64x2.mul(top, top));
  }
  a = f64x2.add(a, b);
  let sum = f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1);
  for (; i < bytes; i += 4) {
    const d = <f64>(load<f32>(x + i) - shift);
    sum += d * d;
  }
  return sum;
}

/** totals[j] += part[j], float64 += float32; then part[j] = 0. */
export function flush(count: i32, part: usize, totals: usize): void {
  for (let j: usize = 0; j < <usize>count; j++) {
    const to = totals + (j << 3);
    store<f64>(to, load<f64>(to) + <f64>load<f32>(part + (j << 2)));
    store<f32>(part + (j << 2), 0);
  }
}

/** y[j] = the sum over i of x[i, j] / divisor. `scratch` holds 12 * columns bytes. */
function sumDown(rows: i32, columns: i32, x: usize, divisor: f64, y: usize, scratch: usize): void {
  const bytes = <usize>4 * <usize>columns;
  const totals = scratch;
  const part = scratch + 2 * bytes;
  memory.fill(scratch, 0, 3 * bytes);
  for (let i = 0; i < rows; i++) {
    const row = x + bytes * <usize>i;
    let j: usize = 0;
    for (; j + 16 <= bytes; j += 16) v128.store(part + j, f32x4.add(v128.load(part + j), v128.load(row + j)));
    for (; j < bytes; j += 4) store<f32>(part + j, load<f32>(part + j) + load<f32>(row + j));
    if (i % ROWS == ROWS - 1) flush(columns, part, totals);
  }
  flush(columns, part, totals);
  for (let j: usize = 0; j < <usize>columns; j++) {
    store<f32>(y + (j << 2), <f32>(load<f64>(totals + (j << 3)) / divisor));
  }
}

/** y[o, i] = the sum over m of x[o, m, i] / divisor. `scratch` holds 12 * inner bytes, 16-byte aligned. */
export function sum(outer: i32, middle: i32, inner: i32, divisor: f64, x: usize, y: usize, scratch: usize): void {
  for (let o = 0; o < outer; o++) {
    const from = x + <usize>4 * <usize>o * <usize>middle * <usize>inner;
    const to = y + <usize>4 * <usize>o * <usize>inner;
    if (inner == 1) store<f32>(to, <f32>(total(middle, from) / divisor));
    else sumDown(middle, inner, from, divisor, to, scratch);
  }
}
