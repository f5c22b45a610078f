import { sigmoid4, sum4 } from "./exp";

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
  for (let i = 0; i < rows; i++) {
    const from = x + <usize>4 * <usize>(i * dim);
    const to = y + <usize>4 * <usize>(i * dim);
    let sum: f64 = 0;
    for (let j = 0; j < dim; j++) sum += <f64>load<f32>(from + <usize>4 * <usize>j);
    const m = <f32>(sum / <f64>dim);
    let squares: f32 = 0;
    for (let j = 0; j < dim; j++) {
      const d = load<f32>(from + <usize>4 * <usize>j) - m;
      squares += d * d;
    }
    const r: f32 = 1 / sqrt<f32>(squares / <f32>dim + epsilon);
    store<f32>(mean + <usize>4 * <usize>i, m);
    store<f32>(rstd + <usize>4 * <usize>i, r);
    for (let j: usize = 0; j < <usize>4 * <usize>dim; j += 4) {
      store<f32>(to + j, (load<f32>(from + j) - m) * r * load<f32>(weight + j) + load<f32>(bias + j));
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
  for (let i = 0; i < rows; i++) {
    const at = <usize>4 * <usize>(i * dim);
    const m = load<f32>(mean + <usize>4 * <usize>i);
    const r = load<f32>(rstd + <usize>4 * <usize>i);
    let s: f32 = 0;
    let t: f32 = 0;
    for (let j: usize = 0; j < <usize>4 * <usize>dim; j += 4) {
      const g = load<f32>(dy + at + j) * load<f32>(weight + j);
      s += g;
      t += g * (load<f32>(x + at + j) - m) * r;
    }
    s /= <f32>dim;
    t /= <f32>dim;
    for (let j: usize = 0; j < <usize>4 * <usize>dim; j += 4) {
      const g = load<f32>(dy + at + j) * load<f32>(weight + j);
      const n = (load<f32>(x + at + j) - m) * r;
      store<f32>(dx + at + j, (g - s - n * t) * r);
    }
  }
}

/** dw must hold zeros. */
export function layerNormGradWeight(
  rows: i32,
  dim: i32,
  x: usize,
  mean: usize,
  rstd: usize,
  dy: usize,
  dw: usize,
): void {
  for (let i = 0; i < rows; i++) {
    const at = <usize>4 * <usize>(i * dim);
    const m = load<f32>(mean + <usize>4 * <usize>i);
    const r = load<f32>(rstd + <usize>4 * <usize>i);
    for (let j: usize = 0; j < <usize>4 * <usize>dim; j += 4) {
      store<f32>(dw + j, load<f32>(dw + j) + load<f32>(dy + at + j) * (load<f32>(x + at + j) - m) * r);
    }
  }
}

/**
 * Group normalisation of NHWC images, with SiLU where asked. `scratch` holds 2 * channels floats: the scale and
 * shift of each channel of one image.
 */
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
  const scale = scratch;
  const shift = scratch + bytes;
  for (let n = 0; n < batch; n++) {
    const from = x + bytes * <usize>(n * pixels);
    const to = y + bytes * <usize>(n * pixels);
    const count = <f64>(pixels * width);
    for (let g = 0; g < groups; g++) {
      let sum: f64 = 0;
      for (let p = 0; p < pixels; p++) {
        const at = from + bytes * <usize>p + <usize>4 * <usize>(g * width);
        let part: f32 = 0;
        for (let c = 0; c < width; c++) part += load<f32>(at + <usize>4 * <usize>c);
        sum += <f64>part;
      }
      const m = <f32>(sum / count);
      let squares: f64 = 0;
      for (let p = 0; p < pixels; p++) {
        const at = from + bytes * <usize>p + <usize>4 * <usize>(g * width);
        let part: f32 = 0;
        for (let c = 0; c < width; c++) {
          const d = load<f32>(at + <usize>4 * <usize>c) - m;
          part += d * d;
        }
        squares += <f64>part;
      }
      const r: f32 = 1 / sqrt<f32>(<f32>(squares / count) + epsilon);
      store<f32>(mean + <usize>4 * <usize>(n * groups + g), m);
      store<f32>(rstd + <usize>4 * <usize>(n * groups + g), r);
      for (let c = g * width; c < (g + 1) * width; c++) {
        const s = r * load<f32>(weight + <usize>4 * <usize>c);
        store<f32>(scale + <usize>4 * <usize>c, s);
        store<f32>(shift + <usize>4 * <usize>c, load<f32>(bias + <usize>4 * <usize>c) - m * s);
      }
    }
    for (let p = 0; p < pixels; p++) {
      const row = bytes * <usize>p;
      let c: usize = 0;
      for (; c + 16 <= bytes; c += 16) {
        let a = f32x4.add(f32x4.mul(v128.load(from + row + c), v128.load(scale + c)), v128.load(shift + c));
        if (silu) a = f32x4.mul(a, sigmoid4(a));
        v128.store(to + row + c, a);
      }
      for (; c < bytes; c += 4) {
        let a = load<f32>(from + row + c) * load<f32>(scale + c) + load<f32>(shift + c);
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
  scale: usize,
  shift: usize,
  dy: usize,
  to: usize,
): void {
  for (let p: usize = 0; p < count; p++) {
    const row = bytes * p;
    for (let c: usize = 0; c < bytes; c += 16) {
      // The last vector may reach past a row whose channels are no multiple of 4; the next row overwrites it.
      let d = v128.load(dy + row + c);
      if (silu) {
        const a = f32x4.add(f32x4.mul(v128.load(from + row + c), v128.load(scale + c)), v128.load(shift + c));
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
 * (2 * channels + pixels * channels + 8) floats.
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
  const scale = scratch;
  const shift = scratch + bytes + 16;
  const gradient = shift + bytes + 16;
  for (let n = 0; n < batch; n++) {
    const from = x + bytes * <usize>(n * pixels);
    for (let c = 0; c < channels; c++) {
      const group = <usize>4 * <usize>(n * groups + c / width);
      const s = load<f32>(rstd + group) * load<f32>(weight + <usize>4 * <usize>c);
      store<f32>(scale + <usize>4 * <usize>c, s);
      store<f32>(
        shift + <usize>4 * <usize>c,
        load<f32>(bias + <usize>4 * <usize>c) - load<f32>(mean + group) * s,
      );
    }
    dAffine(<usize>pixels, bytes, silu, from, scale, shift, dy + bytes * <usize>(n * pixels), gradient);
    for (let g = 0; g < groups; g++) {
      const m = load<f32>(mean + <usize>4 * <usize>(n * groups + g));
      const r = load<f32>(rstd + <usize>4 * <usize>(n * groups + g));
      let s: f64 = 0;
      let t: f64 = 0;
      for (let p = 0; p < pixels; p++) {
        const row = bytes * <usize>p;
        let s0: f32 = 0;
        let t0: f32 = 0;
        for (let c = <usize>4 * <usize>(g * width); c < <usize>4 * <usize>((g + 1) * width); c += 4) {
          const d = load<f32>(gradient + row + c);
          const normalised = (load<f32>(from + row + c) - m) * r;
          if (dw != 0) store<f32>(dw + c, load<f32>(dw + c) + d * normalised);
          if (db != 0) store<f32>(db + c, load<f32>(db + c) + d);
          const e = d * load<f32>(weight + c);
          s0 += e;
          t0 += e * normalised;
        }
        s += <f64>s0;
        t += <f64>t0;
      }
      if (dx == 0) continue;
      const count = <f64>(pixels * width);
      const meanS = <f32>(s / count);
      const meanT = <f32>(t / count);
      const to = dx + bytes * <usize>(n * pixels);
      for (let p = 0; p < pixels; p++) {
        const row = bytes * <usize>p;
        for (let c = <usize>4 * <usize>(g * width); c < <usize>4 * <usize>((g + 1) * width); c += 4) {
          const normalised = (load<f32>(from + row + c) - m) * r;
          store<f32>(
            to + row + c,
            (load<f32>(gradient + row + c) * load<f32>(weight + c) - meanS - normalised * meanT) * r,
          );
        }
      }
    }
  }
}
