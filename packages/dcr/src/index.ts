export { CLIPImageProcessor, type CLIPImageProcessorConfig } from "./encoder/clip-image-processor.js";
export { CLIPModel } from "./encoder/clip-model.js";
export {
  CLIPVisionEmbeddings,
  CLIPVisionModel,
  type CLIPVisionOutput,
  CLIPVisionTransformer,
} from "./encoder/clip-vision-model.js";
export { addLoRA, LoRA, type LoRABias, LoRALinear, type LoRAOptions } from "./lora.js";
export { Projector } from "./projector.js";
export { augmentView, type AugmentOptions, type HostImage } from "./augment.js";
export {
  conditionGradient,
  createDenoiser,
  createPredictor,
  type Denoiser,
  type NoisyBatch,
  type Pairs,
  predictAll,
  type Predictor,
  type Savings,
} from "./denoiser.js";
export { conflictFromGram, type GradientConflict, gramMatrix, summarizeCosines } from "./gradient-conflict/conflict.js";
export { type ConditionTerm, dcrTerms, reconstructionTerm } from "./loss/condition-terms.js";
export { dcrLoss, type DCRLosses, type DCRLossOptions, dcrLossTerms, type DCRPredictions } from "./loss/dcr-loss.js";
export {
  alignProjector,
  batchIndices,
  enhanceEncoder,
  type EnhanceOptions,
  featureMethod,
  type FeatureTerm,
  type ImageSource,
  type Method,
  type MethodInput,
  type MethodName,
  methods,
  type Stage,
  type StageOptions,
  type StepRecord,
} from "./trainer.js";
