import { integer, type Uniform, uniform } from "../random/draws.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { type CropBox, crop } from "./crop.js";
import { checkForm, type PixelData, type RGBImage } from "./image.js";
import type { Resample } from "./resample.js";
import { resize } from "./resize.js";

export type Range = readonly [low: number, high: number];

/** Which part of an image a random crop may take. */
export interface RandomCropRange {
  /** The part's area over the image's; within (0, 1]. */
  scale: Range;
  /** The part's width over its height; positive. */
  ratio: Range;
}

/**
 * Draws the rectangle of a random crop, as torchvision's `RandomResizedCrop.get_params`: area uniform in `scale`, ratio
 * log-uniform in `ratio`, ten tries, else the largest centred part whose ratio is within the range.
 *
 * @returns a rectangle inside the image
 */
export function randomCropBox(
  image: { width: number; height: number },
  { scale, ratio }: RandomCropRange,
  draws: Uniform,
): CropBox {
  const { width: w, height: h } = image;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = w * h * uniform(draws, scale[0], scale[1]);
    const aspect = Math.exp(uniform(draws, Math.log(ratio[0]), Math.log(ratio[1])));
    const width = roundHalfToEven(Math.sqrt(area * aspect));
    const height = roundHalfToEven(Math.sqrt(area / aspect));
    if (width > 0 && width <= w && height > 0 && height <= h) {
      const top = integer(draws, h - height + 1);
      return { left: integer(draws, w - width + 1), top, width, height };
    }
  }
  const width = w / h > ratio[1] ? Math.max(1, roundHalfToEven(h * ratio[1])) : w;
  const height = w / h < ratio[0] ? Math.max(1, roundHalfToEven(w / ratio[0])) : h;
  return { left: Math.floor((w - width) / 2), top: Math.floor((h - height) / 2), width, height };
}

/** A crop's range and the form of its result. */
export interface RandomResizedCropOptions extends Partial<RandomCropRange> {
  /** Width and height of the result, in pixels. */
  size: number;
  /** Default "bicubic". */
  resample?: Resample;
}

/**
 * Takes a random part of an image and resizes it to a square, as torchvision's `RandomResizedCrop` on Pillow images: it cuts
 * first, so that nothing outside the part is seen.
 *
 * @param options default `scale` [0.08, 1] and `ratio` [3/4, 4/3], torchvision's
 */
export function randomResizedCrop<D extends PixelData>(
  image: RGBImage<D>,
  options: RandomResizedCropOptions,
  draws: Uniform,
): RGBImage<D> {
  const known = { size: true, resample: true, scale: true, ratio: true } as const;
  checkForm("randomResizedCrop: image", image);
  const { size, resample, ...range } = checkOptions("randomResizedCrop", options, known);
  checkNumber("randomResizedCrop: size", size, { min: 1, integer: true });
  const box = randomCropBox(image, checkCropRange("randomResizedCrop", range), draws);
  return resize(crop(image, box), { width: size, height: size, resample });
}

/** Checks a crop's range and fills in the defaults. */
export function checkCropRange(
  caller: string,
  given: Partial<RandomCropRange>,
  defaults: RandomCropRange = { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
): RandomCropRange {
  const { scale = defaults.scale, ratio = defaults.ratio } = given;
  return {
    scale: checkRange(`${caller}: scale`, scale, 1),
    ratio: checkRange(`${caller}: ratio`, ratio, 1e6),
  };
}

function checkRange(name: string, range: unknown, max: number): Range {
  if (!Array.isArray(range) || range.length !== 2) {
    throw new RangeError(`${name} must be [low, high], got ${describe(range)}`);
  }
  const low = checkNumber(`${name}[0]`, range[0], { above: 0, max });
  return [low, checkNumber(`${name}[1]`, range[1], { min: low, max })];
}

/** Python's `round`. */
function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
