export { alignProjector } from "./align-projector.js";
export { type AugmentOptions, augmentView, type HostImage } from "./augment.js";
export {
  backpropagateInChunks,
  type ConditionedPredictions,
  chunkedGradient,
  type LossGradient,
  predictInChunks,
} from "./chunked-gradient.js";
export {
  createDenoiser,
  createPredictor,
  type Denoiser,
  type NoisyBatch,
  type Pairs,
  type Predictor,
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
export { type EnhanceOptions, enhanceEncoder } from "./enhance-encoder.js";
export {
  type Aggregator,
  type AggregatorContext,
  aggregateGradients,
  combineGradients,
  type Weighting,
} from "./gradient-conflict/aggregator.js";
export { type CAGradOptions, cagrad } from "./gradient-conflict/cagrad.js";
export {
  conflictFromGram,
  conflictFromGroupedGram,
  type GradientConflict,
  type GradientConflictOptions,
  type GroupedGram,
  gradientConflict,
  gramMatrix,
  groupedGramMatrices,
  summarizeCosines,
} from "./gradient-conflict/conflict.js";
export {
  type ConflictRecorder,
  type ConflictSummary,
  createConflictRecorder,
  type PairRecord,
  recordConflict,
  summarizeConflict,
} from "./gradient-conflict/conflict-recorder.js";
export { type GradVacOptions, gradVac } from "./gradient-conflict/grad-vac.js";
export { imtlG } from "./gradient-conflict/imtl-g.js";
export {
  type LossGradients,
  type LossGradientsOptions,
  lossGradients,
  type Trainable,
} from "./gradient-conflict/loss-gradients.js";
export { mgda } from "./gradient-conflict/mgda.js";
export { type NashMTLOptions, nashMTL } from "./gradient-conflict/nash-mtl.js";
export { pcgrad } from "./gradient-conflict/pcgrad.js";
export type { OrderOptions } from "./gradient-conflict/shuffled.js";
export { type UPGradOptions, upgrad } from "./gradient-conflict/upgrad.js";
export { weightedSum } from "./gradient-conflict/weighted-sum.js";
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
export {
  type FeatureTerm,
  featureMethod,
  jointMethod,
  type Method,
  type MethodInput,
  type MethodName,
  methods,
} from "./methods.js";
export { Projector } from "./projector.js";
export { featureScatter, noiseScatter, type Scatter } from "./scatter.js";
export type { Stage, StageOptions, StepRecord } from "./stage.js";
export { batchIndices, type ImageSource } from "./training-batch.js";
