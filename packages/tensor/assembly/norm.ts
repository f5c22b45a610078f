import { sigmoid4 } from "./exp";
import { flush, total, totalSquares } from "./sum";

// A mean rounded to float32 is off by up to 2^-24 of its size, which is much where the mean is large beside the deviation. Kernels
// subtract the rounded mean, which loses nothing near it, and then the rest of the mean: its difference to the exact one.

/** The mean of contiguous floats, less `m`. */
// @ts-expect-error: decorator
@inline
function restOfMean(count: i32, x: usize, m: f32): f32 {
  return <f32>(total(count, x) / <f64>count - <f64>m);
}

/** Layer normalisation of `rows` rows of `dim`. */
export function layerNorm(
  rows: i32,
  dim: i32,
  epsilon: f32,
  x: usize,
  weight: usize,
  bias: usize,
  y: usize,
  mean: usize,
  rstd: usize,
): void {
  const bytes = <usize>4 * <usize>dim;
  for (let i: usize = 0; i < <usize>rows; i++) {
    const from = x + bytes * i;
    const to = y + bytes * i;
    const exact = total(dim, from) / <f64>dim;
    const m = <f32>exact;
    const rest = <f32>(exact - <f64>m);
    const variance = totalSquares(dim, m, from) / <f64>dim - <f64>rest * <f64>rest;
    const r = <f32>(1 / sqrt<f64>(variance + <f64>epsilon));
    store<f32>(mean + (i << 2), m);
    store<f32>(rstd + (i << 2), r);
    for (let j: usize = 0; j < bytes; j += 4) {
      const n = (load<f32>(from + j) - m - rest) * r;
      store<f32>(to + j, n * load<f32>(weight + j) + load<f32>(bias + j));
    }
  }
}

export function layerNormGradInput(
  rows: i32,
  dim: i32,
  x: usize,
  weight: usize,
  mean: usize,
  rstd: usize,
  dy: usize,
  dx: usize,
): void {
  const bytes = <usize>4 * <usize>dim;
  for (let i: usize = 0; i < <usize>rows; i++) {
    const at = bytes * i;
    const m = load<f32>(mean + (i << 2));
    const r = load<f32>(rstd + (i << 2));
    const rest = restOfMean(dim, x + at, m);
    let sumG: f64 = 0;
    let sumGN: f64 = 0;
    for (let j: usize = 0; j < bytes; j += 4) {
      const g = load<f32>(dy + at + j) * load<f32>(weight + j);
      sumG += <f64>g;
      sumGN += <f64>(g * (load<f32>(x + at + j) - m - rest) * r);
    }
    const s = <f32>(sumG / <f64>dim);
    const t = <f32>(sumGN / <f64>dim);
    for (let j: usize = 0; j < bytes; j += 4) {
      const g = load<f32>(dy + at + j) * load<f32>(weight + j);
      const n = (load<f32>(x + at + j) - m - rest) * r;
      store<f32>(dx + at + j, (g - s - n * t) * r);
    }
  }
}

/** `scratch` holds 12 * dim bytes. */
export function layerNormGradWeight(
  rows: i32,
  dim: i32,
  x: usize,
  mean: usize,
  rstd: usize,
  dy: usize,
  dw: usize,
  scratch: usize,
): void {
  const bytes = <usize>4 * <usize>dim;
  const totals = scratch;
  const part = scratch + 2 * bytes;
  memory.fill(scratch, 0, 3 * bytes);
  for (let i: usize = 0; i < <usize>rows; i++) {
    const at = bytes * i;
    const m = load<f32>(mean + (i << 2));
    const r = load<f32>(rstd + (i << 2));
    const rest = restOfMean(dim, x + at, m);
    for (let j: usize = 0; j < bytes; j += 4) {
      const n = (load<f32>(x + at + j) - m - rest) * r;
      store<f32>(part + j, load<f32>(part + j) + load<f32>(dy + at + j) * n);
    }
    if ((i & 31) == 31) flush(dim, part, totals);
  }
  flush(dim, part, totals);
  for (let j: usize = 0; j < <usize>dim; j++) store<f32>(dw + (j << 2), <f32>load<f64>(totals + (j << 3)));
}

/** The mean of group `g` of an image, less `m`. */
function groupMean(pixels: i32, channels: i32, width: i32, g: i32, image: usize, m: f32): f64 {
  let sum: f64 = 0;
  for (let p: usize = 0; p < <usize>pixels; p++) {
    sum += total(width, image + <usize>4 * (p * <usize>channels + <usize>g * <usize>width));
  }
  return sum / (<f64>pixels * <f64>width) - <f64>m;
}

/** Group normalisation of NHWC images, with SiLU where asked. `scratch` holds 3 * channels floats. */
export function groupNorm(
  batch: i32,
  pixels: i32,
  channels: i32,
  groups: i32,
  epsilon: f32,
  silu: bool,
  x: usize,
  weight: usize,
  bias: usize,
  y: usize,
  mean: usize,
  rstd: usize,
  scratch: usize,
): void {
  const width = channels / groups;
  const bytes = <usize>4 * <usize>channels;
  // Of each channel of one image: the mean in two parts and the scale. The parts are subtracted one by one, before the scale that may
  // be infinite.
  const offset = scratch;
  const remainder = offset + bytes;
  const scale = remainder + bytes;
  for (let n = 0; n < batch; n++) {
    const from = x + bytes * <usize>n * <usize>pixels;
    const to = y + bytes * <usize>n * <usize>pixels;
    for (let g = 0; g < groups; g++) {
      const exact = groupMean(pixels, channels, width, g, from, 0);
      const m = <f32>exact;
      const rest = <f32>(exact - <f64>m);
      let squares: f64 = 0;
      for (let p: usize = 0; p < <usize>pixels; p++) {
        squares += totalSquares(width, m, from + bytes * p + <usize>4 * <usize>g * <usize>width);
      }
      const variance = squares / (<f64>pixels * <f64>width) - <f64>rest * <f64>rest;
      const r = <f32>(1 / sqrt<f64>(variance + <f64>epsilon));
      store<f32>(mean + <usize>4 * (<usize>n * <usize>groups + <usize>g), m);
      store<f32>(rstd + <usize>4 * (<usize>n * <usize>groups + <usize>g), r);
      for (let c = <usize>4 * <usize>g * <usize>width; c < <usize>4 * <usize>(g + 1) * <usize>width; c += 4) {
        store<f32>(offset + c, m);
        store<f32>(remainder + c, rest);
        store<f32>(scale + c, r * load<f32>(weight + c));
      }
    }
    for (let p: usize = 0; p < <usize>pixels; p++) {
      const row = bytes * p;
      let c: usize = 0;
      for (; c + 16 <= bytes; c += 16) {
        const d = f32x4.sub(f32x4.sub(v128.load(from + row + c), v128.load(offset + c)), v128.load(remainder + c));
        let a = f32x4.add(f32x4.mul(d, v128.load(scale + c)), v128.load(bias + c));
        if (silu) a = f32x4.mul(a, sigmoid4(a));
        v128.store(to + row + c, a);
      }
      for (; c < bytes; c += 4) {
        const d = load<f32>(from + row + c) - load<f32>(offset + c) - load<f32>(remainder + c);
        let a = d * load<f32>(scale + c) + load<f32>(bias + c);
        if (silu) a *= f32x4.extract_lane(sigmoid4(f32x4.splat(a)), 0);
        store<f32>(to + row + c, a);
      }
    }
  }
}

/** The gradient at the affine map's output, dy * silu'(a) with a = n * weight + bias, into `to`. */
function dAffine(
  count: usize,
  bytes: usize,
  silu: bool,
  from: usize,
  offset: usize,
  remainder: usize,
  scale: usize,
  bias: usize,
  dy: usize,
  to: usize,
): void {
  for (let p: usize = 0; p < count; p++) {
    const row = bytes * p;
    for (let c: usize = 0; c < bytes; c += 16) {
      // The last vector may reach past a row whose channels are no multiple of 4; the next row overwrites it.
      let d = v128.load(dy + row + c);
      if (silu) {
        const nearly = f32x4.sub(v128.load(from + row + c), v128.load(offset + c));
        const centred = f32x4.sub(nearly, v128.load(remainder + c));
        const a = f32x4.add(f32x4.mul(centred, v128.load(scale + c)), v128.load(bias + c));
        const s = sigmoid4(a);
        const one = f32x4.splat(1);
        d = f32x4.mul(d, f32x4.mul(s, f32x4.add(one, f32x4.mul(a, f32x4.sub(one, s)))));
      }
      v128.store(to + row + c, d);
    }
  }
}

/**
 * Gradients of group normalisation; a null pointer leaves one out. dw and db must hold zeros. `scratch` holds
 * (7 * channels + pixels * channels + 24) floats.
 */
export function groupNormGradient(
  batch: i32,
  pixels: i32,
  channels: i32,
  groups: i32,
  silu: bool,
  x: usize,
  weight: usize,
  bias: usize,
  mean: usize,
  rstd: usize,
  dy: usize,
  dx: usize,
  dw: usize,
  db: usize,
  scratch: usize,
): void {
  const width = channels / groups;
  const bytes = <usize>4 * <usize>channels;
  // Vectors of the last channels may reach 12 bytes further.
  const totals = scratch;
  const offset = totals + 4 * bytes;
  const remainder = offset + bytes + 16;
  const scale = remainder + bytes + 16;
  const gradient = scale + bytes + 16;
  const dwTotals = totals;
  const dbTotals = totals + 2 * bytes;
  memory.fill(totals, 0, 4 * bytes);
  for (let n = 0; n < batch; n++) {
    const from = x + bytes * <usize>n * <usize>pixels;
    for (let g = 0; g < groups; g++) {
      const group = <usize>4 * (<usize>n * <usize>groups + <usize>g);
      const m = load<f32>(mean + group);
      const rest = <f32>groupMean(pixels, channels, width, g, from, m);
      for (let c = <usize>4 * <usize>g * <usize>width; c < <usize>4 * <usize>(g + 1) * <usize>width; c += 4) {
        store<f32>(offset + c, m);
        store<f32>(remainder + c, rest);
        store<f32>(scale + c, load<f32>(rstd + group) * load<f32>(weight + c));
      }
    }
    dAffine(<usize>pixels, bytes, silu, from, offset, remainder, scale, bias, dy + bytes * <usize>n * <usize>pixels, gradient);
    for (let g = 0; g < groups; g++) {
      const group = <usize>4 * (<usize>n * <usize>groups + <usize>g);
      const m = load<f32>(mean + group);
      const r = load<f32>(rstd + group);
      const rest = <f32>groupMean(pixels, channels, width, g, from, m);
      const first = <usize>4 * <usize>g * <usize>width;
      const last = first + <usize>4 * <usize>width;
      let s: f64 = 0;
      let t: f64 = 0;
      for (let p: usize = 0; p < <usize>pixels; p++) {
        const row = bytes * p;
        for (let c = first; c < last; c += 4) {
          const d = load<f32>(gradient + row + c);
          const normalised = (load<f32>(from + row + c) - m - rest) * r;
          if (dw != 0) store<f64>(dwTotals + 2 * c, load<f64>(dwTotals + 2 * c) + <f64>(d * normalised));
          if (db != 0) store<f64>(dbTotals + 2 * c, load<f64>(dbTotals + 2 * c) + <f64>d);
          const e = d * load<f32>(weight + c);
          s += <f64>e;
          t += <f64>(e * normalised);
        }
      }
      if (dx == 0) continue;
      const count = <f64>pixels * <f64>width;
      const meanS = <f32>(s / count);
      const meanT = <f32>(t / count);
      const to = dx + bytes * <usize>n * <usize>pixels;
      for (let p: usize = 0; p < <usize>pixels; p++) {
        const row = bytes * p;
        for (let c = first; c < last; c += 4) {
          const normalised = (load<f32>(from + row + c) - m - rest) * r;
          store<f32>(
            to + row + c,
            (load<f32>(gradient + row + c) * load<f32>(weight + c) - meanS - normalised * meanT) * r,
          );
        }
      }
    }
  }
  for (let c: usize = 0; c < bytes; c += 4) {
    if (dw != 0) store<f32>(dw + c, <f32>load<f64>(dwTotals + 2 * c));
    if (db != 0) store<f32>(db + c, <f32>load<f64>(dbTotals + 2 * c));
  }
}
