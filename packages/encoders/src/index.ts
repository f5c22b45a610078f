export {
  type CLIPConfig,
  type CLIPConfigInput,
  type CLIPEncoderConfig,
  type CLIPTextConfig,
  type CLIPVisionConfig,
  parseCLIPConfig,
  parseCLIPTextConfig,
  parseCLIPVisionConfig,
} from "./clip/clip-config.js";
export {
  CLIPAttention,
  CLIPEncoder,
  CLIPEncoderLayer,
  CLIPMLP,
  initializeNormal,
  normalInitializer,
} from "./clip/clip-encoder.js";
export { CLIPImageProcessor } from "./clip/clip-image-processor.js";
export { CLIPModel } from "./clip/clip-model.js";
export {
  CLIPTextEmbeddings,
  CLIPTextModel,
  type CLIPTextOutput,
  CLIPTextTransformer,
} from "./clip/clip-text-model.js";
export { CLIPTextModelWithProjection } from "./clip/clip-text-model-with-projection.js";
export {
  CLIPTokenizer,
  type CLIPTokenizerFolderOptions,
  type CLIPTokenizerOptions,
} from "./clip/clip-tokenizer.js";
export type { CLIPVocabulary } from "./clip/clip-tokenizer-definition.js";
export {
  CLIPVisionEmbeddings,
  CLIPVisionModel,
  type CLIPVisionOutput,
  CLIPVisionTransformer,
} from "./clip/clip-vision-model.js";
export { CLIPVisionModelWithProjection } from "./clip/clip-vision-model-with-projection.js";
export type { ImageEncoder, ImageTextEncoder, TextEncoder } from "./encoder.js";
export type { EncoderFamily } from "./encoder-classes.js";
export {
  ImageProcessor,
  type ImageProcessorConfig,
  type ImageProcessorOptions,
  type ImageTransform,
} from "./image-processor/image-processor.js";
export {
  createImageEncoder,
  type ImageEncoderShape,
  type LoadedImageEncoder,
  type LoadedTextEncoder,
  type LoadImageEncoderOptions,
  loadImageEncoder,
  loadTextEncoder,
} from "./load-encoder.js";
export { addLoRA, LoRA } from "./lora/lora.js";
export { LoRALinear, type LoRALinearOptions } from "./lora/lora-linear.js";
export type { CheckedLoRAOptions, LoRABias, LoRAOptions } from "./lora/lora-options.js";
export {
  type LoadAdapterOptions,
  loadAdapter,
  type SaveAdapterOptions,
  saveAdapter,
} from "./lora/peft-folder.js";
export type { PretrainedEncoder } from "./pretrained-encoder.js";
export {
  parseSiglipConfig,
  parseSiglipTextConfig,
  parseSiglipVisionConfig,
  type SiglipConfig,
  type SiglipConfigInput,
  type SiglipTextConfig,
  type SiglipVisionConfig,
} from "./siglip/siglip-config.js";
export { SiglipImageProcessor } from "./siglip/siglip-image-processor.js";
export { SiglipModel } from "./siglip/siglip-model.js";
export { SiglipTextModel, type SiglipTextOutput } from "./siglip/siglip-text-model.js";
export {
  SiglipTokenizer,
  type SiglipTokenizerFolderOptions,
  type SiglipTokenizerOptions,
} from "./siglip/siglip-tokenizer.js";
export { SiglipVisionModel, type SiglipVisionOutput } from "./siglip/siglip-vision-model.js";
export type { AddedToken } from "./tokenizer/added-tokens.js";
export { type EncodeOptions, TextTokenizer } from "./tokenizer/text-tokenizer.js";
