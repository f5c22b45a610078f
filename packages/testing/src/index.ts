export { type CheckGradientsOptions, checkGradients } from "./check-gradients.js";
export { expectClose, expectCloseNorm, type Numbers, type Tolerance } from "./close.js";
export { expectNoLeaks } from "./leaks.js";
export { numericalGradient } from "./numerical-gradient.js";
export { normalArray, uniformArray } from "./sample-arrays.js";
