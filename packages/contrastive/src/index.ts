import "./shared/register-gradients.js";

export { type ClipLossOptions, clipLoss, sigLipLoss } from "./clip-loss.js";
export { type InfoNCEOptions, infoNCE, ntXent } from "./info-nce.js";
export {
  type ContrastiveOptions,
  type Formulation,
  type MultiPositiveOptions,
  multiPositive,
} from "./multi-positive.js";
export { type Reduced, type Reduction, reduce } from "./reduction.js";
export { cosineSimilarity, dotSimilarity, normalizeRows, type Similarity } from "./similarity.js";
export { type SupConOptions, supCon } from "./sup-con.js";
export { type Distance, type TripletMarginOptions, tripletMargin } from "./triplet-margin.js";
