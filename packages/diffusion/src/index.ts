export {
  CLIPAttention,
  type CLIPConfig,
  type CLIPConfigInput,
  CLIPEncoder,
  type CLIPEncoderConfig,
  CLIPEncoderLayer,
  CLIPMLP,
  type CLIPTextConfig,
  CLIPTextEmbeddings,
  CLIPTextModel,
  type CLIPTextOutput,
  CLIPTextTransformer,
  CLIPTokenizer,
  type CLIPTokenizerOptions,
  type CLIPVisionConfig,
  type CLIPVocabulary,
  initializeNormal,
  normalInitializer,
  parseCLIPConfig,
  parseCLIPTextConfig,
  parseCLIPVisionConfig,
} from "@dcr-js/encoders";
export {
  type PretrainedOptions,
  readModelFile,
  readModelJson,
  type SavePretrainedOptions,
} from "@dcr-js/tensor";
export {
  createDenoiser,
  createUNetDenoiser,
  type Denoiser,
  type DenoiserCapabilities,
  type DenoiserOptions,
  type DenoiserParts,
  type PreparedBatch,
  type UNetDenoiserOptions,
} from "./denoiser.js";
export { DDIMScheduler } from "./schedulers/ddim-scheduler.js";
export { DDPMScheduler } from "./schedulers/ddpm-scheduler.js";
export { alphasCumprod } from "./schedulers/noise-schedule.js";
export {
  parseSchedulerConfig,
  type SchedulerConfig,
  type SchedulerConfigInput,
  type SchedulerOptions,
} from "./schedulers/scheduler-config.js";
export { encodePrompt, type PromptCondition, type TextSide } from "./stable-diffusion/encode-prompt.js";
export {
  loadStableDiffusion,
  type StableDiffusion,
  type StableDiffusionOptions,
  type StableDiffusionXL,
} from "./stable-diffusion/stable-diffusion.js";
export type { AddedConditions } from "./unet/added-conditions.js";
export type { Condition } from "./unet/attention.js";
export {
  gatherPrefix,
  UNet2DConditionModel,
  type UNetInputs,
  type UNetPrefix,
} from "./unet/unet-2d-condition-model.js";
export type { UNet2DConditionConfig, UNet2DConditionConfigInput } from "./unet/unet-config.js";
export {
  AutoencoderKL,
  type LatentDistribution,
  type SliceOptions,
  sampleLatents,
} from "./vae/autoencoder-kl.js";
export type { AutoencoderKLConfig, AutoencoderKLConfigInput } from "./vae/vae-config.js";
