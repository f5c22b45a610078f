import { createEvaluation } from "./create-evaluation.js";

/** The beginning of the test sets: a look within a few seconds, with a standard error of P of up to 1.6 points. */
export default createEvaluation({ split: "test", pairs: 960, scenes: 600, outOfDomain: false });
