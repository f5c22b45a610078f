import { checkChoice, checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { checkForm, checkPixels, emptyLike, maxSide, type PixelData, type RGBImage } from "./image.js";
import { filterKernels, type Resample, resamples } from "./resample.js";

/** A part of an image, in pixels: `[left, upper, right, lower]`, fractions allowed, as Pillow's `box`. */
export type Box = readonly [left: number, upper: number, right: number, lower: number];

export interface ResizeOptions {
  /** Of the result, in pixels, at most 2^20. */
  width: number;
  /** Of the result, in pixels, at most 2^20. */
  height: number;
  /** Default "bicubic". */
  resample?: Resample;
  /** The part of the image to resize; default all of it. Filters reach beyond it, up to the image's edges, as Pillow's do. */
  box?: Box;
}

/**
 * Resizes with antialias, with Pillow's numbers (`Image.resize`): on uint8 its two passes in fixed point, on float32 those of its
 * mode "F".
 *
 * @param image `[height, width, 3]`, each side at most 2^20
 * @returns a new image with the same kind of pixels; float32 pixels may leave [0, 1] where a filter overshoots
 * @throws on a side, of the image or the result, that is no integer from 1 to 2^20, more than 2^28 pixels, an unknown resample, and a box that is empty or leaves the image
 *
 * @example
 * const small = resize(photo, { width: 224, height: 224, resample: "bicubic" });
 */
export function resize<D extends PixelData>(image: RGBImage<D>, options: ResizeOptions): RGBImage<D> {
  checkForm("resize: image", image);
  for (const side of ["width", "height"] as const) {
    checkNumber(`resize: image.${side}`, image[side], { max: maxSide });
  }
  const known = { width: true, height: true, resample: true, box: true } as const;
  const given = checkOptions("resize", options, known);
  const width = checkNumber("resize: width", given.width, { min: 1, max: maxSide, integer: true });
  const height = checkNumber("resize: height", given.height, { min: 1, max: maxSide, integer: true });
  checkPixels("resize", width, height);
  const resample = checkChoice("resize: resample", given.resample ?? "bicubic", resamples);
  const box = given.box ?? [0, 0, image.width, image.height];
  if (!Array.isArray(box) || box.length !== 4) {
    throw new TypeError(`resize: box must be [left, upper, right, lower], got ${describe(box)}`);
  }
  const [left, upper, right, lower] = box;
  const inside = left >= 0 && upper >= 0 && right <= image.width && lower <= image.height;
  if (!inside || !(left < right) || !(upper < lower)) {
    throw new RangeError(
      `resize: box must be [left, upper, right, lower] within [0, 0, ${image.width}, ${image.height}], got [${box.join(", ")}]`,
    );
  }
  if (resample === "nearest") return nearest(image, width, height, box);
  const across = width !== image.width || left !== 0 || right !== image.width;
  const down = height !== image.height || upper !== 0 || lower !== image.height;
  if (!across && !down) return { data: image.data.slice() as D, width, height };
  const columns = taps({ length: image.width, from: left, to: right, out: width, resample });
  const rows = taps({ length: image.height, from: upper, to: lower, out: height, resample });
  const pass = image.data instanceof Uint8Array ? fixedPoint : floatingPoint;
  let data = image.data as never;
  // Where the height shrinks by much more than the width, Pillow 13 begins with it. The order shows where the first pass clips.
  if (across && down && height < image.height && image.height - height > 2 * (image.width - width)) {
    data = pass.down(data, { rows, first: 0, stride: image.width * 3 }) as never;
    data = pass.across(data, { columns, first: 0, last: height, width: image.width }) as never;
    return { data, width, height };
  }
  // The first pass makes only those rows that the second reads.
  const first = down ? rows.start[0]! : 0;
  const last = down ? rows.start[height - 1]! + rows.count[height - 1]! : height;
  if (across) data = pass.across(data, { columns, first, last, width: image.width }) as never;
  if (down) data = pass.down(data, { rows, first: across ? first : 0, stride: width * 3 }) as never;
  return { data, width, height };
}

/** For each output pixel: its first input pixel, how many it reads, and their weights, `size` for each. */
interface Taps {
  start: Int32Array;
  count: Int32Array;
  weights: Float64Array;
  size: number;
}

/** Pillow's `precompute_coeffs`. */
function taps(axis: {
  length: number;
  from: number;
  to: number;
  out: number;
  resample: Exclude<Resample, "nearest">;
}): Taps {
  const kernel = filterKernels[axis.resample];
  // Pillow's box is in float32.
  const from = Math.fround(axis.from);
  const scale = (Math.fround(axis.to) - from) / axis.out;
  const stretch = Math.max(scale, 1);
  const support = kernel.support * stretch;
  const size = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(axis.out);
  const count = new Int32Array(axis.out);
  const weights = new Float64Array(axis.out * size);
  for (let i = 0; i < axis.out; i++) {
    const center = from + (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - support + 0.5));
    const high = Math.min(axis.length, Math.trunc(center + support + 0.5));
    let sum = 0;
    for (let k = 0; k < high - low; k++) {
      const weight = kernel.weight((k + low - center + 0.5) * (1 / stretch));
      weights[i * size + k] = weight;
      sum += weight;
    }
    if (sum !== 0) for (let k = 0; k < high - low; k++) weights[i * size + k]! /= sum;
    start[i] = low;
    count[i] = high - low;
  }
  return { start, count, weights, size };
}

interface Across {
  columns: Taps;
  first: number;
  last: number;
  width: number;
}

interface Down {
  rows: Taps;
  first: number;
  stride: number;
}

// 8 bits of the result and 2 of overshoot leave 22 of 32, as in Pillow.
const fractionBits = 22;
const half = 1 << (fractionBits - 1);

function toFixed(weights: Float64Array): Int32Array {
  const fixed = new Int32Array(weights.length);
  for (let i = 0; i < fixed.length; i++) {
    fixed[i] = Math.trunc(weights[i]! * 2 ** fractionBits + (weights[i]! < 0 ? -0.5 : 0.5));
  }
  return fixed;
}

const clip8 = (sum: number): number => {
  const value = sum >> fractionBits;
  return value < 0 ? 0 : value > 255 ? 255 : value;
};

const fixedPoint = {
  across(data: Uint8Array, { columns, first, last, width }: Across): Uint8Array {
    const { start, count, size } = columns;
    const weights = toFixed(columns.weights);
    const out = new Uint8Array((last - first) * start.length * 3);
    let to = 0;
    for (let y = first; y < last; y++) {
      for (let x = 0; x < start.length; x++) {
        let from = (y * width + start[x]!) * 3;
        let r = half;
        let g = half;
        let b = half;
        const end = x * size + count[x]!;
        for (let k = x * size; k < end; k++, from += 3) {
          const weight = weights[k]!;
          r = (r + Math.imul(data[from]!, weight)) | 0;
          g = (g + Math.imul(data[from + 1]!, weight)) | 0;
          b = (b + Math.imul(data[from + 2]!, weight)) | 0;
        }
        out[to] = clip8(r);
        out[to + 1] = clip8(g);
        out[to + 2] = clip8(b);
        to += 3;
      }
    }
    return out;
  },
  down(data: Uint8Array, { rows, first, stride }: Down): Uint8Array {
    const { start, count, size } = rows;
    const weights = toFixed(rows.weights);
    const out = new Uint8Array(start.length * stride);
    const sums = new Int32Array(stride);
    for (let y = 0; y < start.length; y++) {
      sums.fill(half);
      for (let k = 0; k < count[y]!; k++) {
        const weight = weights[y * size + k]!;
        const from = (start[y]! + k - first) * stride;
        for (let i = 0; i < stride; i++) sums[i] = sums[i]! + Math.imul(data[from + i]!, weight);
      }
      for (let i = 0; i < stride; i++) out[y * stride + i] = clip8(sums[i]!);
    }
    return out;
  },
};

const floatingPoint = {
  across(data: Float32Array, { columns, first, last, width }: Across): Float32Array {
    const { start, count, size, weights } = columns;
    const out = new Float32Array((last - first) * start.length * 3);
    let to = 0;
    for (let y = first; y < last; y++) {
      for (let x = 0; x < start.length; x++) {
        for (let channel = 0; channel < 3; channel++) {
          const from = (y * width + start[x]!) * 3 + channel;
          let sum = 0;
          for (let k = 0; k < count[x]!; k++) sum += data[from + 3 * k]! * weights[x * size + k]!;
          out[to++] = sum;
        }
      }
    }
    return out;
  },
  down(data: Float32Array, { rows, first, stride }: Down): Float32Array {
    const { start, count, size, weights } = rows;
    const out = new Float32Array(start.length * stride);
    const sums = new Float64Array(stride);
    for (let y = 0; y < start.length; y++) {
      sums.fill(0);
      for (let k = 0; k < count[y]!; k++) {
        const weight = weights[y * size + k]!;
        const from = (start[y]! + k - first) * stride;
        for (let i = 0; i < stride; i++) sums[i]! += data[from + i]! * weight;
      }
      out.set(sums, y * stride);
    }
    return out;
  },
};

/** Pillow's `ImagingScaleAffine`: it adds up the steps, so that rounding falls where Pillow's does. */
function nearest<D extends PixelData>(
  image: RGBImage<D>,
  width: number,
  height: number,
  [left, upper, right, lower]: Box,
): RGBImage<D> {
  const picks = (from: number, to: number, n: number): Int32Array => {
    const step = (Math.fround(to) - Math.fround(from)) / n;
    let at = Math.fround(from) + step * 0.5;
    return Int32Array.from({ length: n }, () => {
      const pick = Math.trunc(at);
      at += step;
      return pick;
    });
  };
  const columns = picks(left, right, width);
  const rows = picks(upper, lower, height);
  const data = emptyLike(image.data, width * height * 3);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (Math.min(row, image.height - 1) * image.width + Math.min(column, image.width - 1)) * 3;
      for (let channel = 0; channel < 3; channel++) data[to++] = image.data[from + channel]!;
    }
  }
  return { data, width, height };
}
