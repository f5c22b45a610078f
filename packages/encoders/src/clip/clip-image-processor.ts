import {
  ImageProcessor,
  type ImageProcessorClass,
  type ImageProcessorConfig,
  type ImageProcessorOptions,
  needImageProcessorConfig,
} from "../image-processor/image-processor.js";
import { checkOptions } from "../shared/check-options.js";

/** transformers' `CLIPImageProcessor`. */
export const CLIP_IMAGE_PROCESSOR: ImageProcessorClass = {
  name: "CLIPImageProcessor",
  types: ["CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil", "CLIPFeatureExtractor"],
  size: { shortest_edge: 224 },
  crop: { height: 224, width: 224 },
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/**
 * How a CLIP model wants its images (transformers' `CLIPImageProcessor`, also in its faster form): by default the shortest edge
 * resized to 224 by bicubic interpolation, the centre of 224 x 224, and CLIP's mean and deviation.
 */
export class CLIPImageProcessor extends ImageProcessor {
  /**
   * @param config settings as in preprocessor_config.json; null and what is left out stand for transformers' defaults
   * @param options `acceptKeys`: unknown keys that may be ignored
   * @throws naming every setting that is not what it should be, and every unknown key
   */
  constructor(config: ImageProcessorConfig = {}, options: ImageProcessorOptions & { file?: string } = {}) {
    super(CLIP_IMAGE_PROCESSOR, config, options);
  }

  /**
   * Reads the image processor's part of a model folder's processor_config.json, or preprocessor_config.json without it.
   *
   * @throws if it is missing or not what it should be
   */
  static async fromPretrained(
    folder: string,
    options: ImageProcessorOptions = {},
  ): Promise<CLIPImageProcessor> {
    const what = "CLIPImageProcessor.fromPretrained";
    const { acceptKeys } = checkOptions(what, options, { acceptKeys: true });
    const { config, file } = await needImageProcessorConfig(folder, what);
    return new CLIPImageProcessor(config as ImageProcessorConfig, { acceptKeys, file });
  }
}
