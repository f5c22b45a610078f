export { type CheckGradientsOptions, checkGradients } from "./check-gradients.js";
export { expectClose, expectCloseNorm, type Numbers, type Tolerance } from "./expect-close.js";
export { expectNoLeaks } from "./expect-no-leaks.js";
export { normalArray, uniformArray } from "./inputs.js";
export { numericalGradient } from "./numerical-gradient.js";
export { type ParityEntry, recordParity, relativeError } from "./record-parity.js";
export { syntheticPixels } from "./synthetic-pixels.js";
