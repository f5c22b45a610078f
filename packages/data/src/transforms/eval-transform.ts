import { checkChoice, checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { centerCrop, shortestEdgeSize } from "./crop.js";
import { checkForm, type RGBImage } from "./image.js";
import { type Resample, resamples } from "./resample.js";
import { checkRGB, normalize, type RGB, rescale } from "./rescale.js";
import { resize } from "./resize.js";

/** How an image is prepared for an encoder that is evaluated: the settings of an image processor. */
export interface EvalTransform {
  /** Where an image is resized to: its shortest edge, or both edges; left out, it keeps its size. */
  resize?: { shortestEdge: number } | { width: number; height: number };
  /** The centre that is cut out after resizing, padded with black where the image is smaller; left out, nothing is cut. */
  crop?: { width: number; height: number };
  /** Interpolation, by Pillow's name. Default "bicubic". */
  resample?: Resample;
  /** The factor of uint8 pixels. Default 1/255, which gives [0, 1]. */
  rescaleFactor?: number;
  /** Applied last; left out, pixels stay as rescaled. */
  normalize?: { mean: RGB; std: RGB };
}

const names = { resize: true, crop: true, resample: true, rescaleFactor: true, normalize: true } as const;

/** Checks a transform and drops undefined settings. */
export function checkEvalTransform(caller: string, transform: EvalTransform): EvalTransform {
  const checked = checkOptions(`${caller}: transform`, transform, names);
  const { resize, crop, resample, rescaleFactor } = checked;
  if (resize !== undefined) {
    if (typeof resize === "object" && resize !== null && "shortestEdge" in resize) {
      checkOptions(`${caller}: transform.resize`, resize, { shortestEdge: true });
      checkNumber(`${caller}: transform.resize.shortestEdge`, resize.shortestEdge, { min: 1, integer: true });
    } else checkSize(`${caller}: transform.resize`, resize);
  }
  if (crop !== undefined) checkSize(`${caller}: transform.crop`, crop);
  if (resample !== undefined) checkChoice(`${caller}: transform.resample`, resample, resamples);
  if (rescaleFactor !== undefined) {
    checkNumber(`${caller}: transform.rescaleFactor`, rescaleFactor, { above: 0 });
  }
  if (checked.normalize !== undefined) {
    const given = checkOptions(`${caller}: transform.normalize`, checked.normalize, {
      mean: true,
      std: true,
    });
    checkRGB(`${caller}: transform.normalize.mean`, given.mean, {});
    checkRGB(`${caller}: transform.normalize.std`, given.std, { above: 0 });
  }
  return checked;
}

function checkSize(name: string, size: unknown): void {
  if (typeof size !== "object" || size === null) {
    throw new TypeError(`${name} must be { width, height }, got ${describe(size)}`);
  }
  const { width, height } = checkOptions(name, size as { width: number; height: number }, {
    width: true,
    height: true,
  });
  checkNumber(`${name}.width`, width, { min: 1, integer: true });
  checkNumber(`${name}.height`, height, { min: 1, integer: true });
}

/**
 * Prepares an image as a transformers image processor with the PIL backend does: resize, centre crop, rescale, normalise.
 *
 * @param image uint8, or float32 in [0, 1], which is not rescaled
 * @returns float32 pixels, in [0, 1] unless `rescaleFactor` or `normalize` say otherwise
 *
 * @example
 * const pixels = applyEvalTransform(image, { resize: { shortestEdge: 224 }, crop: { width: 224, height: 224 } });
 */
export function applyEvalTransform(image: RGBImage, transform: EvalTransform): RGBImage<Float32Array> {
  checkForm("applyEvalTransform: image", image);
  const checked = checkEvalTransform("applyEvalTransform", transform);
  let result = image;
  if (checked.resize) {
    const size =
      "shortestEdge" in checked.resize
        ? shortestEdgeSize(image, checked.resize.shortestEdge)
        : checked.resize;
    result = resize(result, { ...size, resample: checked.resample });
  }
  if (checked.crop) result = centerCrop(result, checked.crop);
  const scaled = rescale(result, result.data instanceof Uint8Array ? checked.rescaleFactor : 1);
  return checked.normalize ? normalize(scaled, checked.normalize) : scaled;
}
