export { clipLoss, type ClipLossOptions, sigLipLoss } from "./clip-loss.js";
export { infoNCE, type InfoNCEOptions, ntXent } from "./info-nce.js";
export { multiPositive, type MultiPositiveOptions, supCon } from "./multi-positive.js";
export type { Reduced, Reduction } from "./reduction.js";
export { cosineSimilarity, normalizeRows } from "./similarity.js";
