import "./shared/register-gradients.js";

export {
  type LossAcrossRanksOptions,
  type LossOfAllRanks,
  lossAcrossRanks,
  type Ranks,
} from "./across-ranks.js";
export type { Labels } from "./check-embeddings.js";
export { type CollapseRecord, collapse } from "./diagnostics/collapse-monitor.js";
export { effectiveRank, type Spectrum } from "./diagnostics/effective-rank.js";
export { type SimilarityHistogram, similarityHistogram } from "./diagnostics/similarity-histogram.js";
export { batched } from "./distances/batched.js";
export { cosineDistance } from "./distances/cosine-distance.js";
export { cosineSimilarity } from "./distances/cosine-similarity.js";
export type { Distance, Similarity } from "./distances/distance.js";
export { dotSimilarity } from "./distances/dot-similarity.js";
export { euclideanDistance, type LpDistanceOptions, lpDistance } from "./distances/lp-distance.js";
export { snrDistance } from "./distances/snr-distance.js";
export { type LearnedTemperature, learnedTemperature } from "./learned-temperature.js";
export { type AlignmentOptions, alignment } from "./losses/alignment.js";
export { type AngularOptions, angular } from "./losses/angular.js";
export type { MarginSoftmaxOptions } from "./losses/angular-softmax.js";
export { arcFace } from "./losses/arc-face.js";
export { type BarlowTwinsOptions, barlowTwins } from "./losses/barlow-twins.js";
export { type CircleOptions, circle } from "./losses/circle.js";
export { type ClipLossOptions, clipLoss } from "./losses/clip.js";
export { type ContrastiveLossOptions, contrastiveLoss } from "./losses/contrastive-loss.js";
export { cosFace } from "./losses/cos-face.js";
export { type DCRInputs, type DCROptions, dcr } from "./losses/dcr.js";
export { type DebiasedOptions, debiased } from "./losses/debiased.js";
export { type DecoupledOptions, decoupled } from "./losses/decoupled.js";
export { type DINOOptions, dino, updateCenter } from "./losses/dino.js";
export { type FastAPOptions, fastAP } from "./losses/fast-ap.js";
export type { Formulation } from "./losses/formulation.js";
export { generalizedLiftedStructure } from "./losses/generalized-lifted-structure.js";
export { type HardNegativeOptions, hardNegative } from "./losses/hard-negative.js";
export { type InfoNCEOptions, infoNCE } from "./losses/info-nce.js";
export { type KoLeoOptions, koLeo } from "./losses/ko-leo.js";
export { type LeJEPAOptions, leJEPA } from "./losses/le-jepa.js";
export { liftedStructure } from "./losses/lifted-structure.js";
export type { LiftedStructureOptions } from "./losses/lifted-structure-options.js";
export { type MarginOptions, margin } from "./losses/margin.js";
export { type MMCROptions, mmcr } from "./losses/mmcr.js";
export {
  type ContrastiveOptions,
  type MultiPositiveOptions,
  multiPositive,
} from "./losses/multi-positive.js";
export { type MultiSimilarityOptions, multiSimilarity } from "./losses/multi-similarity.js";
export { type NPairsOptions, nPairs } from "./losses/n-pairs.js";
export { type NCAOptions, nca } from "./losses/nca.js";
export { type NegativeCosineOptions, negativeCosine } from "./losses/negative-cosine.js";
export { type NormalizedSoftmaxOptions, normalizedSoftmax } from "./losses/normalized-softmax.js";
export { type NTXentOptions, ntXent } from "./losses/nt-xent.js";
export { type NTXentFromLabelsOptions, ntXentFromLabels } from "./losses/nt-xent-from-labels.js";
export { type ProxyAnchorOptions, proxyAnchor } from "./losses/proxy-anchor.js";
export { type ProxyNCAOptions, proxyNCA } from "./losses/proxy-nca.js";
export { type RankedListOptions, rankedList } from "./losses/ranked-list.js";
export { type SIGRegOptions, sigReg } from "./losses/sig-reg.js";
export { sigLipLoss } from "./losses/siglip.js";
export { type SinkhornOptions, sinkhorn } from "./losses/sinkhorn.js";
export { snrContrastive } from "./losses/snr-contrastive.js";
export { type SoftTripleOptions, softTriple } from "./losses/soft-triple.js";
export { subCenterArcFace } from "./losses/sub-center-arc-face.js";
export { type SupConOptions, supCon } from "./losses/sup-con.js";
export { type SwAVOptions, swav } from "./losses/swav.js";
export { type TiCoOptions, tiCo, tiCoCovariance } from "./losses/ti-co.js";
export { type TripletLossOptions, tripletLoss } from "./losses/triplet-loss.js";
export {
  type RowDistance,
  type TripletMarginOptions,
  type TripletRows,
  tripletMargin,
} from "./losses/triplet-margin.js";
export { type TupletMarginOptions, tupletMargin } from "./losses/tuplet-margin.js";
export { type UniformityOptions, uniformity } from "./losses/uniformity.js";
export { type VICRegOptions, vicReg } from "./losses/vic-reg.js";
export { CrossBatchMemory } from "./memory/cross-batch-memory.js";
export { type AngularMinerOptions, angularMiner } from "./miners/angular-miner.js";
export {
  type BatchEasyHardOptions,
  batchEasyHard,
  batchHard,
  type Strategy,
} from "./miners/batch-easy-hard.js";
export {
  type DistanceWeightedMinerOptions,
  distanceWeightedMiner,
} from "./miners/distance-weighted-miner.js";
export type { MinerOptions } from "./miners/mining-inputs.js";
export { type MultiSimilarityMinerOptions, multiSimilarityMiner } from "./miners/multi-similarity-miner.js";
export { type PairMarginMinerOptions, pairMarginMiner } from "./miners/pair-margin-miner.js";
export { type TripletMarginMinerOptions, tripletMarginMiner } from "./miners/triplet-margin-miner.js";
export {
  type IndexPairs,
  type Pairs,
  pairsFromLabels,
  pairsFromTriplets,
  type Triplets,
  tripletsFromLabels,
  tripletsFromPairs,
} from "./pairs/pairs.js";
export type { Reference, TupleLossOptions } from "./pairs/tuple-inputs.js";
export type { WithoutPositives } from "./pairs/without-positives.js";
export {
  type ClassLoss,
  type ClassLossModule,
  type ClassLossModuleOptions,
  type ClassLossOptionsOf,
  classLossModule,
} from "./proxies/class-loss-module.js";
export type { ClassLossOptions } from "./proxies/class-weights.js";
export { averageNonZero } from "./reducers/average-non-zero.js";
export { classWeighted } from "./reducers/class-weighted.js";
export { perAnchor } from "./reducers/per-anchor.js";
export {
  type Reduced,
  type Reducer,
  type Reduction,
  type ReductionContext,
  type ReductionName,
  reduce,
} from "./reducers/reduce.js";
export { sampleWeighted } from "./reducers/sample-weighted.js";
export { type ThresholdOptions, threshold } from "./reducers/threshold.js";
export { l2Normalize } from "./shared/l2-normalize.js";
export type { Trainable } from "./shared/trainable.js";
