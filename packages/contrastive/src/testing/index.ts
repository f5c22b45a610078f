export {
  checkLossProperties,
  type LossPropertyOptions,
  type LossUnderTest,
} from "./check-loss-properties.js";
