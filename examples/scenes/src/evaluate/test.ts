import { createEvaluation } from "./create-evaluation.js";

/** The final evaluation: scenes that nothing was trained on or chosen with. */
export default createEvaluation({ split: "test" });
