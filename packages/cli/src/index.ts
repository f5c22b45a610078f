export type { CommandContext } from "./command-line/command-context.js";
export { runCommandLine } from "./command-line/program.js";
export type { EvaluationModule } from "./evaluate/evaluate-encoder.js";
export type { Evaluation } from "./evaluate/evaluation.js";
export type { EvaluationInput } from "./evaluate/evaluation-input.js";
export type { LoadedEncoder } from "./evaluate/loaded-encoder.js";
export type { TrainingImagesOptions } from "./train/images.js";
