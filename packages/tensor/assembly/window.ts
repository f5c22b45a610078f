/**
 * Windows that slide over [batch, depth, height, width, channels]; images have depth 1. `window` points to 21 i32: batch,
 * channels, outChannels, and for depth, height and width each input, output, size, stride, dilation and padding before.
 * Sums are added to what the results hold.
 */

import { flush } from "./sum";

/** Places whose products are summed in float32 before they are added to the totals. */
const PLACES: i32 = 256;

// @ts-expect-error: decorator
@inline
function field(window: usize, i: i32): i32 {
  return load<i32>(window + (<usize>i << 2));
}

/** Output places of all images, and elements of the window for one channel. */
function placeCount(window: usize): i32 {
  return field(window, 0) * field(window, 4) * field(window, 10) * field(window, 16);
}
function tapCount(window: usize): i32 {
  return field(window, 5) * field(window, 11) * field(window, 17);
}

/** The input place under an element of the window at an output place, or -1 in the padding. */
function inputPlace(window: usize, place: i32, tap: i32): i32 {
  let at = 0;
  let step = 1;
  for (let axis = 15; axis > 0; axis -= 6) {
    const size = field(window, axis);
    const output = field(window, axis + 1);
    const taps = field(window, axis + 2);
    const coordinate =
      (place % output) * field(window, axis + 3) + (tap % taps) * field(window, axis + 4) - field(window, axis + 5);
    if (coordinate < 0 || coordinate >= size) return -1;
    at += coordinate * step;
    step *= size;
    place /= output;
    tap /= taps;
  }
  return place * step + at;
}

/** The first maximum in each window, of `x` plus, where it is given, `filter` [taps, channels]; and the tap that it is at. */
export function windowMaximum(window: usize, x: usize, filter: usize, y: usize, taps: usize): void {
  const channels = field(window, 1);
  const places = placeCount(window);
  const tapsInWindow = tapCount(window);
  for (let place = 0; place < places; place++) {
    const to = <usize>(place * channels) << 2;
    for (let c: usize = 0; c < <usize>channels << 2; c += 4) {
      store<f32>(y + to + c, -Infinity);
      store<i32>(taps + to + c, -1);
    }
    for (let tap = 0; tap < tapsInWindow; tap++) {
      const at = inputPlace(window, place, tap);
      if (at < 0) continue;
      const from = x + (<usize>(at * channels) << 2);
      const raise = filter + (<usize>(tap * channels) << 2);
      for (let c: usize = 0; c < <usize>channels << 2; c += 4) {
        const value = load<f32>(from + c) + (filter == 0 ? 0 : load<f32>(raise + c));
        if (value > load<f32>(y + to + c)) {
          store<f32>(y + to + c, value);
          store<i32>(taps + to + c, tap);
        }
      }
    }
  }
}

/** Adds `dy` to the gradient of the maxima in `x`, or of the elements of the filter; the other pointer is 0. */
export function maximumGradient(window: usize, taps: usize, dy: usize, dx: usize, dfilter: usize): void {
  const channels = field(window, 1);
  const count = placeCount(window) * channels;
  for (let i = 0; i < count; i++) {
    const tap = load<i32>(taps + (<usize>i << 2));
    if (tap < 0) continue;
    const to = dx == 0 ? dfilter : dx;
    const place = dx == 0 ? tap : inputPlace(window, i / channels, tap);
    const at = to + (<usize>(place * channels + (i % channels)) << 2);
    store<f32>(at, load<f32>(at) + load<f32>(dy + (<usize>i << 2)));
  }
}

/** to[i] += scale * a[i] */
// @ts-expect-error: decorator
@inline
function addScaled(bytes: usize, scale: f32, a: usize, to: usize): void {
  const scales = f32x4.splat(scale);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(to + i, f32x4.add(v128.load(to + i), f32x4.mul(scales, v128.load(a + i))));
  }
  for (; i < bytes; i += 4) store<f32>(to + i, load<f32>(to + i) + scale * load<f32>(a + i));
}

/** to[i] += a[i] * b[i] */
// @ts-expect-error: decorator
@inline
function addProducts(bytes: usize, a: usize, b: usize, to: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    v128.store(to + i, f32x4.add(v128.load(to + i), f32x4.mul(v128.load(a + i), v128.load(b + i))));
  }
  for (; i < bytes; i += 4) store<f32>(to + i, load<f32>(to + i) + load<f32>(a + i) * load<f32>(b + i));
}

// @ts-expect-error: decorator
@inline
function dot(bytes: usize, a: usize, b: usize): f32 {
  let sums = f32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) sums = f32x4.add(sums, f32x4.mul(v128.load(a + i), v128.load(b + i)));
  let sum =
    f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3);
  for (; i < bytes; i += 4) sum += load<f32>(a + i) * load<f32>(b + i);
  return sum;
}

/**
 * Computes the gradient of `x`, or of the filter, from `dy`; the other of `dx` and `dw` is 0. Where `full`, the filter is [taps, channels,
 * outChannels]; else it is depthwise, [taps, outChannels], and an input channel has its share of the output channels only. The
 * filter's is a sum over all places: in float32 over some, which `totals`, a zero in float64 for each weight, takes up.
 */
export function windowGradient(
  window: usize, full: bool, x: usize, filter: usize, dy: usize, dx: usize, dw: usize, totals: usize,
): void {
  const channels = field(window, 1);
  const outBytes = <usize>field(window, 2) << 2;
  if (channels == 0) return;
  const places = placeCount(window);
  const taps = tapCount(window);
  // The bytes of dy that belong to one input channel, and the distance to those of the next channel.
  const bytes = full ? outBytes : outBytes / <usize>channels;
  const step = full ? 0 : bytes;
  const weightCount = <i32>(<usize>(taps * channels) * (bytes >> 2));
  for (let place = 0; place < places; place++) {
    if (dw != 0 && place % PLACES == PLACES - 1) flush(weightCount, dw, totals);
    const fromDy = dy + <usize>place * outBytes;
    for (let tap = 0; tap < taps; tap++) {
      const at = inputPlace(window, place, tap);
      if (at < 0) continue;
      const pixel = <usize>(at * channels) << 2;
      const weights = <usize>(tap * channels) * bytes;
      if (bytes == 4 && !full) {
        if (dx != 0) addProducts(outBytes, fromDy, filter + weights, dx + pixel);
        else addProducts(outBytes, fromDy, x + pixel, dw + weights);
        continue;
      }
      for (let c: usize = 0; c < <usize>channels; c++) {
        const share = fromDy + c * step;
        const own = pixel + (c << 2);
        if (dx != 0) {
          store<f32>(dx + own, load<f32>(dx + own) + dot(bytes, share, filter + weights + c * bytes));
        } else {
          addScaled(bytes, load<f32>(x + own), share, dw + weights + c * bytes);
        }
      }
    }
  }
  if (dw == 0) return;
  flush(weightCount, dw, totals);
  for (let i: usize = 0; i < <usize>weightCount; i++) store<f32>(dw + (i << 2), <f32>load<f64>(totals + (i << 3)));
}
