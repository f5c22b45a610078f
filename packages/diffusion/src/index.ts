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
export {
  CLIPTextEmbeddings,
  CLIPTextModel,
  type CLIPTextOutput,
  CLIPTextTransformer,
} from "./clip/clip-text-model.js";
export { CLIPTokenizer, type CLIPTokenizerOptions, type CLIPVocabulary } from "./clip/clip-tokenizer.js";
export { readModelFile, readModelJson, readModelWeights, writeModelFolder } from "./clip/model-folder.js";
export { loadPretrained, type PretrainedOptions } from "./load-pretrained.js";
export { DDIMScheduler } from "./scheduler/ddim-scheduler.js";
export { DDPMScheduler } from "./scheduler/ddpm-scheduler.js";
export {
  alphasCumprod,
  type SchedulerConfig,
  type SchedulerConfigInput,
} from "./scheduler/noise-schedule.js";
export { loadStableDiffusion, type StableDiffusion } from "./stable-diffusion.js";
export type { Condition } from "./unet/attention.js";
export { gatherPrefix, UNet2DConditionModel, type UNetPrefix } from "./unet/unet-2d-condition-model.js";
export type { UNet2DConditionConfig, UNet2DConditionConfigInput } from "./unet/unet-config.js";
export {
  AutoencoderKL,
  type AutoencoderKLConfig,
  type AutoencoderKLConfigInput,
  type LatentDistribution,
  sampleLatents,
} from "./vae/autoencoder-kl.js";
