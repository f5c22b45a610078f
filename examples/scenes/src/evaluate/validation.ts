import { createEvaluation } from "./create-evaluation.js";

/** Scenes that settings may be chosen with. */
export default createEvaluation({ split: "validation" });
