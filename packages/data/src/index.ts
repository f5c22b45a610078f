export { type DecodeOptions, decodeImage } from "./decode/decode-image.js";
export { Draws, type DrawsOptions, type Stream, type Uniform } from "./random/draws.js";
export type { ImageBatch, ImageSource, SourcePosition } from "./sources/image-source.js";
export {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  type ColorJitterOptions,
  colorJitter,
} from "./transforms/color-jitter.js";
export {
  type CropBox,
  centerCrop,
  crop,
  horizontalFlip,
  shortestEdgeSize,
  verticalFlip,
} from "./transforms/crop.js";
export { applyEvalTransform, type EvalTransform } from "./transforms/eval-transform.js";
export type { PixelData, RGBImage } from "./transforms/image.js";
export {
  type RandomCropRange,
  type RandomResizedCropOptions,
  type Range,
  randomCropBox,
  randomResizedCrop,
} from "./transforms/random-resized-crop.js";
export { type Resample, resamples } from "./transforms/resample.js";
export { normalize, type RGB, rescale } from "./transforms/rescale.js";
export { type Box, type ResizeOptions, resize } from "./transforms/resize.js";
export type { AugmentOptions, ViewOptions } from "./transforms/training-views.js";
