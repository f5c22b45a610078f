export { adamWStep } from "./adamw";
export { attention, attentionGradient, attentionScratch } from "./attention";
export { convFilterGradient, convInputGradient } from "./conv";
export { sumRows, unary, unaryGradient } from "./elementwise";
export { batchedGemm, gemmScratch } from "./gemm";
export { groupNorm, groupNormGradient, layerNorm, layerNormGradInput, layerNormGradWeight } from "./norm";
export { maximumGradient, windowGradient, windowMaximum } from "./window";
