export { expectNoLeaks } from "./expect-no-leaks.js";
export { numericalGradient } from "./numerical-gradient.js";
export { type ParityEntry, recordParity, relativeError } from "./record-parity.js";
export { type CheckGradientsOptions, checkGradients } from "./shared/check-gradients.js";
export { expectClose, expectCloseNorm, type Numbers, type Tolerance } from "./shared/expect-close.js";
export { normalArray, uniformArray } from "./shared/inputs.js";
export { syntheticPixels } from "./synthetic-pixels.js";
