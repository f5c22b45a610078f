import { evaluationOn } from "./evaluation.js";

/** Held-out codes that settings may be chosen with. */
export default evaluationOn("validation");
