import { exp4, log } from "./exp";
import { gemm } from "./gemm";
import { total } from "./sum";

/**
 * Attention of one (batch, head) pair at a time: the heads are read in place from [tokens, heads * depth] by their
 * row stride, and one queries x keys matrix lives in scratch. Pair i is head i / batch of image i % batch; those in
 * [first, end) are computed.
 */

/**
 * From this size of a row's largest score on, its log-sum-exp in float32 has too few digits for probabilities that sum to 1: then the row keeps
 * its maximum and the reciprocal of its sum instead.
 */
const steepScore: f32 = 128;

/**
 * In place: the softmax of a row. Columns from `visible` on become 0. The row's shift and factor, of which a probability is
 * `exp(score - shift) * factor`, are written to `shiftAt` and `factorAt`.
 */
function softmaxRow(row: usize, visible: i32, columns: i32, shiftAt: usize, factorAt: usize): void {
  let highest: f32 = -f32.MAX_VALUE;
  for (let j = 0; j < visible; j++) highest = max(highest, load<f32>(row + <usize>4 * <usize>j));
  const shift = f32x4.splat(highest);
  let j = 0;
  for (; j + 4 <= visible; j += 4) {
    v128.store(row + <usize>4 * <usize>j, exp4(f32x4.sub(v128.load(row + <usize>4 * <usize>j), shift)));
  }
  for (; j < visible; j++) {
    const e = f32x4.extract_lane(exp4(f32x4.splat(load<f32>(row + <usize>4 * <usize>j) - highest)), 0);
    store<f32>(row + <usize>4 * <usize>j, e);
  }
  const sum = total(visible, row);
  const factor = <f32>(1 / sum);
  for (let i = 0; i < visible; i++)
    store<f32>(row + <usize>4 * <usize>i, load<f32>(row + <usize>4 * <usize>i) * factor);
  for (let i = visible; i < columns; i++) store<f32>(row + <usize>4 * <usize>i, 0);
  const isSteep = abs(highest) >= steepScore;
  store<f32>(shiftAt, isSteep ? highest : highest + <f32>log(sum));
  store<f32>(factorAt, isSteep ? factor : 1);
}

/** `rows` is `[2, batch, heads, queries]`: shifts, then factors. `scratch` of both passes is sized by `attentionScratch` of backend/wasm/scratch.ts. */
export function attention(
  first: i32,
  end: i32,
  batch: i32,
  queries: i32,
  keys: i32,
  heads: i32,
  width: i32,
  scale: f32,
  causal: bool,
  sharedKeys: bool,
  q: usize,
  k: usize,
  v: usize,
  output: usize,
  rows: usize,
  scratch: usize,
): void {
  const row = heads * width;
  const factors = <usize>4 * <usize>(batch * heads * queries);
  const scores = scratch;
  const room = scratch + <usize>4 * <usize>queries * <usize>keys;
  for (let pair = first; pair < end; pair++) {
    const b = pair % batch;
    const h = pair / batch;
    const own = <usize>4 * <usize>(b * queries * row + h * width);
    const other = <usize>4 * <usize>((sharedKeys ? 0 : b * keys * row) + h * width);
    gemm(queries, keys, width, q + own, row, 1, k + other, 1, row, scores, keys, scale, false, room);
    for (let i = 0; i < queries; i++) {
      const shiftAt = rows + <usize>4 * <usize>((b * heads + h) * queries + i);
      const line = scores + <usize>4 * <usize>(i * keys);
      softmaxRow(line, causal ? i + 1 : keys, keys, shiftAt, shiftAt + factors);
    }
    gemm(queries, width, keys, scores, keys, 1, v + other, row, 1, output + own, row, 1, false, room);
  }
}

/**
 * The gradients at query, key and value; a null pointer leaves one out. Shared keys and values sum over the batch.
 */
export function attentionGradient(
  first: i32,
  end: i32,
  batch: i32,
  queries: i32,
  keys: i32,
  heads: i32,
  width: i32,
  scale: f32,
  causal: bool,
  sharedKeys: bool,
  q: usize,
  k: usize,
  v: usize,
  output: usize,
  rows: usize,
  dy: usize,
  dq: usize,
  dk: usize,
  dv: usize,
  scratch: usize,
): void {
  const row = heads * width;
  const factors = <usize>4 * <usize>(batch * heads * queries);
  const probabilities = scratch;
  const dScores = scratch + <usize>4 * <usize>queries * <usize>keys;
  const room = dScores + <usize>4 * <usize>queries * <usize>keys;
  for (let pair = first; pair < end; pair++) {
    const b = pair % batch;
    const h = pair / batch;
    const add = sharedKeys && b > 0;
    const own = <usize>4 * <usize>(b * queries * row + h * width);
    const other = <usize>4 * <usize>((sharedKeys ? 0 : b * keys * row) + h * width);
    gemm(queries, keys, width, q + own, row, 1, k + other, 1, row, probabilities, keys, scale, false, room);
    for (let i = 0; i < queries; i++) {
      const line = probabilities + <usize>4 * <usize>(i * keys);
      const visible = causal ? i + 1 : keys;
      const shiftAt = rows + <usize>4 * <usize>((b * heads + h) * queries + i);
      const shift = load<f32>(shiftAt);
      const factor = load<f32>(shiftAt + factors);
      let j = 0;
      for (; j + 4 <= visible; j += 4) {
        v128.store(
          line + <usize>4 * <usize>j,
          f32x4.mul(
            exp4(f32x4.sub(v128.load(line + <usize>4 * <usize>j), f32x4.splat(shift))),
            f32x4.splat(factor),
          ),
        );
      }
      for (; j < visible; j++) {
        const e = exp4(f32x4.splat(load<f32>(line + <usize>4 * <usize>j) - shift));
        store<f32>(line + <usize>4 * <usize>j, f32x4.extract_lane(e, 0) * factor);
      }
      for (; j < keys; j++) store<f32>(line + <usize>4 * <usize>j, 0);
    }
    if (dv != 0) {
      gemm(keys, width, queries, probabilities, 1, keys, dy + own, row, 1, dv + other, row, 1, add, room);
    }
    if (dq == 0 && dk == 0) continue;
    gemm(queries, keys, width, dy + own, row, 1, v + other, 1, row, dScores, keys, 1, false, room);
    for (let i = 0; i < queries; i++) {
      // The softmax's inner product sum_j P_ij dP_ij equals output_i . dy_i.
      let products: f64 = 0;
      const at = own + <usize>4 * <usize>(i * row);
      for (let c: usize = 0; c < <usize>4 * <usize>width; c += 4) {
        products += <f64>(load<f32>(output + at + c) * load<f32>(dy + at + c));
      }
      const inner = <f32>products;
      for (let j = 0; j < keys; j++) {
        const cell = <usize>4 * <usize>(i * keys + j);
        const p = load<f32>(probabilities + cell);
        store<f32>(dScores + cell, p * (load<f32>(dScores + cell) - inner) * scale);
      }
    }
    if (dq != 0)
      gemm(queries, width, keys, dScores, keys, 1, k + other, row, 1, dq + own, row, 1, false, room);
    if (dk != 0)
      gemm(keys, width, queries, dScores, 1, keys, q + own, row, 1, dk + other, row, 1, add, room);
  }
}
