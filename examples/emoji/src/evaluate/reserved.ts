import { evaluationOn } from "./evaluation.js";

/** The final evaluation: codes that nothing was trained on or chosen with. */
export default evaluationOn("reserved");
