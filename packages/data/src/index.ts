export { type DecodeOptions, decodeImage } from "./decode/decode-image.js";
export type { BrokenImage, BrokenOptions } from "./pipeline/broken-images.js";
export type { ReadingOptions } from "./pipeline/reading-options.js";
export { Draws, type DrawsOptions, type Stream, type Uniform } from "./random/draws.js";
export { createImageSource, type ImageSourceOptions } from "./sources/create-image-source.js";
export { type ImageStreamOptions, imageArray, imageStream } from "./sources/custom-images.js";
export type {
  CustomImage,
  ImageContent,
  ImageDataset,
  ImageEntry,
  IndexedDataset,
  StreamedDataset,
} from "./sources/dataset.js";
export { type ImageFolderOptions, imageFolder } from "./sources/image-folder.js";
export type { ImageBatch, ImageSource, SourcePosition } from "./sources/image-source.js";
export { type ImageTableOptions, imageTable } from "./sources/image-table.js";
export { type ImagesInput, type OpenImagesOptions, openImages } from "./sources/open-images.js";
export { type EvalBatch, type ReadImagesOptions, readImages } from "./sources/read-images.js";
export { type WebDatasetOptions, webDataset } from "./sources/webdataset.js";
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
  randomResizedCrop,
} from "./transforms/random-resized-crop.js";
export { type Resample, resamples } from "./transforms/resample.js";
export { normalize, type RGB, rescale } from "./transforms/rescale.js";
export { type Box, type ResizeOptions, resize } from "./transforms/resize.js";
export type { AugmentOptions, ViewOptions } from "./transforms/training-views.js";
