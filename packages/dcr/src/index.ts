export {
  createDenoiser,
  createPredictor,
  type Denoiser,
  type NoisyBatch,
  type Pairs,
  type Predictor,
  type Savings,
} from "@dcr-js/diffusion";
export {
  addLoRA,
  CLIPImageProcessor,
  type CLIPImageProcessorConfig,
  CLIPModel,
  CLIPVisionEmbeddings,
  CLIPVisionModel,
  type CLIPVisionOutput,
  CLIPVisionTransformer,
  LoRA,
  type LoRABias,
  LoRALinear,
  type LoRAOptions,
} from "@dcr-js/encoders";
export type { OrderOptions } from "@dcr-js/gradient-conflict";
export {
  type Aggregator,
  type AggregatorContext,
  aggregateGradients,
  type CAGradOptions,
  type ConflictRecorder,
  type ConflictSummary,
  cagrad,
  combineGradients,
  conflictFromGram,
  conflictFromGroupedGram,
  createConflictRecorder,
  type GradientConflict,
  type GradientConflictOptions,
  type GradVacOptions,
  type GroupedGram,
  gradientConflict,
  gradVac,
  gramMatrix,
  groupedGramMatrices,
  imtlG,
  type LossGradients,
  type LossGradientsOptions,
  lossGradients,
  mgda,
  type NashMTLOptions,
  nashMTL,
  type PairRecord,
  pcgrad,
  recordConflict,
  summarizeConflict,
  summarizeCosines,
  type Trainable,
  type UPGradOptions,
  upgrad,
  type Weighting,
  weightedSum,
} from "@dcr-js/gradient-conflict";
export { type AugmentOptions, augmentView, type HostImage } from "./augment.js";
export {
  backpropagateInChunks,
  type ConditionedPredictions,
  chunkedGradient,
  type LossGradient,
  predictInChunks,
} from "./chunked-gradient.js";
export { featureScatter, noiseScatter, type Scatter } from "./diagnostics/scatter.js";
export { type ConditionTerm, dcrTerms, reconstructionTerm } from "./objectives/condition-terms.js";
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
} from "./objectives/dcr-loss.js";
export {
  type FeatureTerm,
  featureMethod,
  jointMethod,
  type Method,
  type MethodInput,
  type MethodName,
  methods,
} from "./objectives/methods.js";
export { reconstructionLoss } from "./objectives/reconstruction-loss.js";
export { Projector } from "./projector.js";
export { createAlignmentStage } from "./stages/alignment-stage.js";
export { createEnhancementStage, type EnhanceOptions } from "./stages/enhancement-stage.js";
export type { Stage, StageOptions, StepRecord } from "./stages/stage.js";
export { batchIndices, type ImageSource } from "./stages/training-batch.js";
