export { type AskOptions, askQuestions, type Question } from "./ask-questions.js";
export {
  type CVBenchScores,
  cvBenchScores,
  mmvpScores,
  naturalBenchScores,
  type POPEScores,
  popeScores,
  type Share,
  scienceQAScores,
} from "./benchmark-scores.js";
export { choiceAnswer } from "./choice-answer.js";
export {
  cvBenchAnswer,
  mmvpAnswer,
  naturalBenchAnswer,
  popeAnswer,
  scienceQAAnswer,
} from "./published-answers.js";
