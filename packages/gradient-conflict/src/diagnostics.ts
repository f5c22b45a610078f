export {
  conflictFromGram,
  conflictFromGroupedGram,
  type GradientConflict,
  type GradientConflictOptions,
  type GroupedGram,
  gradientConflict,
  gramMatrix,
  groupedGramMatrices,
  type MeasuredConflict,
} from "./measure/conflict.js";
export { type GradientCurvatureOptions, gradientCurvature } from "./measure/curvature.js";
export {
  type LossGradients,
  type LossGradientsOptions,
  lossGradients,
} from "./measure/loss-gradients.js";
export { type StepProjection, stepProjection } from "./measure/projection.js";
export { summarizeCosines } from "./measure/summarize-cosines.js";
export type { ConflictRecord } from "./record/conflict-record.js";
export {
  type ConflictRecorder,
  type ConflictSummary,
  createConflictRecorder,
  type PairRecord,
  recordConflict,
  summarizeConflict,
} from "./record/conflict-recorder.js";
export { jsonLinesBefore, parseJsonLines, toJsonLine } from "./record/json-lines.js";
export { toScalars } from "./record/scalars.js";
export type { Trainable } from "./shared/trainable.js";
