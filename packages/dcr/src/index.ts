export { type AugmentOptions, augmentView, type HostImage } from "./augment.js";
export {
  backpropagateInChunks,
  type ConditionedPredictions,
  chunkedGradient,
  type LossGradient,
  predictInChunks,
} from "./chunked-gradient.js";
export {
  conditionGradient,
  createDenoiser,
  createPredictor,
  type Denoiser,
  type NoisyBatch,
  type Pairs,
  type Predictor,
  predictAll,
  type Savings,
} from "./denoiser.js";
export { CLIPImageProcessor, type CLIPImageProcessorConfig } from "./encoder/clip-image-processor.js";
export { CLIPModel } from "./encoder/clip-model.js";
export {
  CLIPVisionEmbeddings,
  CLIPVisionModel,
  type CLIPVisionOutput,
  CLIPVisionTransformer,
} from "./encoder/clip-vision-model.js";
export {
  conflictFromGram,
  type GradientConflict,
  gramMatrix,
  summarizeCosines,
} from "./gradient-conflict/conflict.js";
export { addLoRA, LoRA, type LoRABias, LoRALinear, type LoRAOptions } from "./lora.js";
export { type ConditionTerm, dcrTerms, reconstructionTerm } from "./loss/condition-terms.js";
export {
  type DCRGradientOptions,
  type DCRGradients,
  type DCRLosses,
  type DCRLossOptions,
  type DCRPositive,
  type DCRPredictions,
  type DCRTermsOptions,
  dcrLoss,
  dcrLossGradients,
  dcrLossTerms,
} from "./loss/dcr-loss.js";
export { reconstructionLoss } from "./loss/reconstruction-loss.js";
export { Projector } from "./projector.js";
export {
  alignProjector,
  batchIndices,
  type EnhanceOptions,
  enhanceEncoder,
  type FeatureTerm,
  featureMethod,
  type ImageSource,
  jointMethod,
  type Method,
  type MethodInput,
  type MethodName,
  methods,
  type Stage,
  type StageOptions,
  type StepRecord,
} from "./trainer.js";
