export { choiceAnswer, yesNoAnswer } from "./answers.js";
export { type AskOptions, askQuestions, type Question } from "./ask-questions.js";
export {
  type CVBenchScores,
  cvBenchScores,
  mmvpScores,
  naturalBenchScores,
  type POPEScores,
  popeScores,
  type Share,
} from "./benchmark-scores.js";
