import { Draws } from "../random/draws.js";
import { checkChoice, checkNumber, checkOptions } from "../shared/check-options.js";
import { type ColorJitterOptions, checkColorJitter, colorJitter } from "./color-jitter.js";
import { centerCrop, crop, horizontalFlip, shortestEdgeSize, verticalFlip } from "./crop.js";
import type { PixelData, RGBImage } from "./image.js";
import { checkCropRange, type RandomCropRange, randomCropBox } from "./random-resized-crop.js";
import { type Resample, resamples } from "./resample.js";
import { rescale } from "./rescale.js";
import { resize } from "./resize.js";

/** The augmented view: a random crop, colour jitter and flips. */
export interface AugmentOptions extends ColorJitterOptions, Partial<RandomCropRange> {
  /** The chance of a flip left to right. Default 0.5. */
  horizontalFlip?: number;
  /** The chance of a flip top to bottom. Default 0.5. */
  verticalFlip?: number;
}

/** The two views of a training image. Defaults are those of DCR (Han et al., CVPR 2026). */
export interface ViewOptions {
  /** Width and height of both views, in pixels. */
  size: number;
  /**
   * The training crop: "center" resizes the shortest edge to `size` and cuts out the centre; a range draws a random crop. Default
   * `{ scale: [0.9, 1], ratio: [3/4, 4/3] }`.
   */
  crop?: "center" | Partial<RandomCropRange>;
  /**
   * The augmented view. Default brightness, contrast and saturation 0.1, hue 0.05, flips 0.5, scale [0.9, 1], ratio
   * [0.9, 1.1].
   */
  augment?: AugmentOptions;
  /** Interpolation, by Pillow's name. Default "bicubic". */
  resample?: Resample;
}

/** Options after `checkViewOptions`: nothing is left out. */
export interface CheckedViews {
  size: number;
  crop: "center" | RandomCropRange;
  augment: Required<AugmentOptions>;
  resample: Resample;
}

/** Checks the options of the two views and fills in the defaults. */
export function checkViewOptions(caller: string, options: ViewOptions): CheckedViews {
  const { size, crop = {}, augment = {}, resample = "bicubic" } = options;
  checkNumber(`${caller}: size`, size, { min: 1, max: 2 ** 14, integer: true });
  checkChoice(`${caller}: resample`, resample, resamples);
  return {
    size,
    crop: checkCrop(caller, crop),
    augment: checkAugment(`${caller}: augment`, augment),
    resample,
  };
}

function checkCrop(caller: string, crop: "center" | Partial<RandomCropRange>): "center" | RandomCropRange {
  if (typeof crop === "string") return checkChoice<"center">(`${caller}: crop`, crop, ["center"]);
  const range = checkOptions(`${caller}: crop`, crop, { scale: true, ratio: true });
  return checkCropRange(`${caller}: crop`, range, { scale: [0.9, 1], ratio: [3 / 4, 4 / 3] });
}

function checkAugment(name: string, options: AugmentOptions): Required<AugmentOptions> {
  const given = checkOptions(name, options, {
    brightness: true,
    contrast: true,
    saturation: true,
    hue: true,
    horizontalFlip: true,
    verticalFlip: true,
    scale: true,
    ratio: true,
  });
  const { brightness = 0.1, contrast = 0.1, saturation = 0.1, hue = 0.05 } = given;
  const { horizontalFlip = 0.5, verticalFlip = 0.5, scale, ratio } = given;
  return {
    ...checkColorJitter(name, { brightness, contrast, saturation, hue }),
    ...checkCropRange(name, { scale, ratio }, { scale: [0.9, 1], ratio: [0.9, 1.1] }),
    horizontalFlip: checkNumber(`${name}.horizontalFlip`, horizontalFlip, { min: 0, max: 1 }),
    verticalFlip: checkNumber(`${name}.verticalFlip`, verticalFlip, { min: 0, max: 1 }),
  };
}

/**
 * Makes the training crop and the augmented view of an image. Both are taken from the image itself, at its full size. The
 * augmented view is cut and resized first, then its colours move, in [0, 1], and then it is flipped.
 *
 * @returns `[size, size, 3]` each, float32 in [0, 1]; a function of the image, the views, seed, epoch and name only
 */
export function trainingViews(
  image: RGBImage,
  views: CheckedViews,
  { seed, epoch, name }: { seed: number; epoch: number; name: string },
): { image: Float32Array; augmented: Float32Array } {
  const { size, resample, augment } = views;
  const square = { width: size, height: size };
  const drawsFor = (stream: "crop" | "augment") => new Draws({ seed, epoch, name, stream });
  const randomPart = (range: RandomCropRange, draws: Draws): RGBImage =>
    resize(crop(image, randomCropBox(image, range, draws)), { ...square, resample });

  const plain =
    views.crop === "center"
      ? centerCrop(resize(image, { ...shortestEdgeSize(image, size), resample }), square)
      : randomPart(views.crop, drawsFor("crop"));

  const draws = drawsFor("augment");
  const { brightness, contrast, saturation, hue } = augment;
  let view = colorJitter(
    unitRange(randomPart(augment, draws)),
    { brightness, contrast, saturation, hue },
    draws,
  );
  if (draws.next() < augment.horizontalFlip) view = horizontalFlip(view);
  if (draws.next() < augment.verticalFlip) view = verticalFlip(view);
  return { image: unitRange(plain).data, augmented: view.data };
}

/** Float32 in [0, 1]: resizing float32 pixels may have overshot, and uint8 pixels were held in their range. */
function unitRange(image: RGBImage<PixelData>): RGBImage<Float32Array> {
  const scaled = rescale(image);
  if (image.data instanceof Float32Array) {
    for (let i = 0; i < scaled.data.length; i++) scaled.data[i] = Math.min(1, Math.max(0, scaled.data[i]!));
  }
  return scaled;
}
