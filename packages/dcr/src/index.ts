export {
  createDenoiser,
  createUNetDenoiser,
  type Denoiser,
  type DenoiserCapabilities,
  type DenoiserOptions,
  type PreparedBatch,
} from "@dcr-js/diffusion";
export {
  addLoRA,
  CLIPImageProcessor,
  CLIPModel,
  CLIPVisionEmbeddings,
  CLIPVisionModel,
  type CLIPVisionOutput,
  CLIPVisionTransformer,
  type ImageProcessorConfig,
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
export {
  type PredictionSpread,
  predictionSpread,
  type SpreadInput,
} from "./diagnostics/prediction-spread.js";
export {
  measurePredictionType,
  type PredictionType,
  type PredictionTypeErrors,
  type PredictionTypeInput,
} from "./diagnostics/prediction-type.js";
export { featureScatter, noiseScatter, type Scatter } from "./diagnostics/scatter.js";
export { type TheoremOne, theoremOne } from "./diagnostics/theorem-1.js";
export {
  createLatentEncoder,
  type LatentEncoder,
  type LatentEncoderOptions,
} from "./latents/latent-encoder.js";
export { type ConObjectiveOptions, conObjective } from "./objectives/con.js";
export { type DCRGradientFlow, type DCRObjectiveOptions, dcrObjective } from "./objectives/dcr.js";
export type { DCRPositive, DCRPredictions, DCRTermsOptions } from "./objectives/dcr-inputs.js";
export { type DCRLossOptions, dcrLoss } from "./objectives/dcr-loss.js";
export {
  type DCRGradientOptions,
  type DCRGradients,
  dcrLossGradients,
} from "./objectives/dcr-loss-gradients.js";
export { type FeatureObjectiveOptions, featureObjective } from "./objectives/feature-objective.js";
export { type JointObjectiveOptions, jointObjective } from "./objectives/naive.js";
export type { Objective, ObjectiveInput, ObjectiveTerm, Predictor } from "./objectives/objective.js";
export { type ObjectiveName, objectives } from "./objectives/objectives.js";
export {
  type LossPredictions,
  type PredictionObjectiveOptions,
  predictionObjective,
} from "./objectives/prediction-objective.js";
export { recObjective } from "./objectives/rec.js";
export { type ReconstructionLossOptions, reconstructionLoss } from "./objectives/reconstruction-loss.js";
export { sumObjective } from "./objectives/sum-objective.js";
export {
  backpropagateInChunks,
  type ConditionedPredictions,
  type ConditionGradient,
  chunkedGradient,
  chunkedLossGradient,
  type LossGradient,
  predictInChunks,
} from "./predictions/chunked-gradient.js";
export { Projector } from "./projector.js";
export { type AlignmentOptions, createAlignmentStage } from "./stages/alignment-stage.js";
export {
  createEndToEndStage,
  createEnhancementStage,
  type EnhancementOptions,
} from "./stages/enhancement-stage.js";
export type { NoisyBatch } from "./stages/noisy-batch.js";
export { type BatchReader, readBatches } from "./stages/read-batch.js";
export type { Stage, StepRecord } from "./stages/stage.js";
export type { Adapters, ImageNormalizer, StageOptions, TargetKind } from "./stages/stage-options.js";
export type { StageProgress, StageSetting, StageState } from "./stages/stage-state.js";
export { type ObjectiveSizes, tryObjective } from "./stages/try-objective.js";
