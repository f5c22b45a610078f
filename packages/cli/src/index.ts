export { runCommandLine } from "./command-line/program.js";
export type { Evaluation } from "./evaluate/evaluation.js";
