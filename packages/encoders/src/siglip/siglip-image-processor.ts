import {
  ImageProcessor,
  type ImageProcessorClass,
  type ImageProcessorConfig,
  type ImageProcessorOptions,
  needImageProcessorConfig,
} from "../image-processor/image-processor.js";
import { checkOptions } from "../shared/check-options.js";

/** transformers' `SiglipImageProcessor`. */
export const SIGLIP_IMAGE_PROCESSOR: ImageProcessorClass = {
  name: "SiglipImageProcessor",
  types: ["SiglipImageProcessor", "SiglipImageProcessorFast", "SiglipImageProcessorPil"],
  size: { height: 224, width: 224 },
  crop: undefined,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
};

/**
 * How a SigLIP model wants its images (transformers' `SiglipImageProcessor`, also in its faster form): by default
 * resized to 224 x 224 by bicubic interpolation, whatever its shape, and scaled to [-1, 1].
 */
export class SiglipImageProcessor extends ImageProcessor {
  /**
   * @param config settings as in preprocessor_config.json; null and what is left out stand for transformers' defaults
   * @param options `acceptKeys`: unknown keys that may be ignored
   * @throws naming every setting that is not what it should be, and every unknown key
   */
  constructor(config: ImageProcessorConfig = {}, options: ImageProcessorOptions & { file?: string } = {}) {
    super(SIGLIP_IMAGE_PROCESSOR, config, options);
  }

  /**
   * Reads the image processor's part of a model folder's processor_config.json, or preprocessor_config.json without it.
   *
   * @throws if it is missing or not what it should be
   */
  static async fromPretrained(
    folder: string,
    options: ImageProcessorOptions = {},
  ): Promise<SiglipImageProcessor> {
    const what = "SiglipImageProcessor.fromPretrained";
    const { acceptKeys } = checkOptions(what, options, { acceptKeys: true });
    const { config, file } = await needImageProcessorConfig(folder, what);
    return new SiglipImageProcessor(config as ImageProcessorConfig, { acceptKeys, file });
  }
}
