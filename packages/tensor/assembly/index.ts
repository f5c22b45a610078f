export { adamWStep } from "./adamw";
export { attention, attentionGradient } from "./attention";
export { convFilterGradient, convInputGradient } from "./conv";
export { clip, extremum, hasNonFinite, unary, unaryGradient } from "./elementwise";
export { batchedGemm } from "./gemm";
export { groupNorm, groupNormGradient, layerNorm, layerNormGradInput, layerNormGradWeight } from "./norm";
export { maximumGradient, windowGradient, windowMaximum } from "./window";
export { sum } from "./sum";
