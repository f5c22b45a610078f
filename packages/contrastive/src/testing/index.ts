export { type CheckGradientsOptions, checkGradients } from "../shared/check-gradients.js";
export {
  checkLossProperties,
  type LossPropertyOptions,
  type LossUnderTest,
} from "./check-loss-properties.js";
