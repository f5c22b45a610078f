import "./shared/register-gradients.js";

export { adjustedMutualInformation } from "./clustering/adjusted-mutual-information.js";
export { adjustedRandIndex } from "./clustering/adjusted-rand-index.js";
export { clusteringAccuracy } from "./clustering/clustering-accuracy.js";
export { type ClusteringScores, clusteringScores } from "./clustering/clustering-scores.js";
export { fowlkesMallows } from "./clustering/fowlkes-mallows.js";
export { fitKMeans, type KMeansOptions, type KMeansResult, kMeans } from "./clustering/k-means.js";
export { normalizedMutualInformation } from "./clustering/normalized-mutual-information.js";
export { purity } from "./clustering/purity.js";
export { silhouette } from "./clustering/silhouette.js";
export { type VMeasureOptions, type VMeasureScores, vMeasure } from "./clustering/v-measure.js";
export type { Labels } from "./features/check-labels.js";
export { type EncodeText, type EncodeTextsOptions, encodeTexts } from "./features/encode-texts.js";
export type { Features } from "./features/open-features.js";
export {
  type ReadFeaturesOptions,
  readFeatures,
  type SafetensorsFile,
  type SavedFeatures,
} from "./features/read-features.js";
export type { TieOptions } from "./features/tie-tolerance.js";
export {
  type NearestNeighbourOptions,
  nearestNeighbourAccuracy,
} from "./neighbours/nearest-neighbour-accuracy.js";
export {
  type NearestNeighbourPredictionOptions,
  nearestNeighbourPredictions,
  type VoteOptions,
  type Voters,
} from "./neighbours/nearest-neighbour-predictions.js";
export {
  type NearestNeighboursOptions,
  nearestNeighbours,
} from "./neighbours/nearest-neighbours.js";
export type { Neighbours } from "./neighbours/top-k.js";
export {
  type CaptionChoiceOptions,
  type CaptionChoiceResult,
  type CaptionChoiceScores,
  captionChoice,
} from "./pairs/caption-choice.js";
export {
  type DetailPairScores,
  type ImageImageOptions,
  imageImagePairs,
  type PairResult,
  type TextImageOptions,
  textImagePairs,
} from "./pairs/detail-pairs.js";
export { splitPairs } from "./pairs/split-pairs.js";
export {
  type WinogroundFeatures,
  type WinogroundResult,
  type WinogroundScores,
  winogroundScores,
} from "./pairs/winoground.js";
export { type ConfusionMatrix, confusionMatrix } from "./probe/confusion-matrix.js";
export {
  type LabelledFeatures,
  type LinearProbeOptions,
  type LinearProbeScores,
  linearProbe,
} from "./probe/linear-probe.js";
export {
  classify,
  type LinearClassifier,
  type LogisticRegressionOptions,
  logisticRegression,
  type Predictions,
} from "./probe/logistic-regression.js";
export { type EvaluationReport, reportHTML } from "./report/evaluation-report.js";
export {
  type Projection,
  projectTSNE,
  projectUMAP,
  type TSNEOptions,
  type UMAPOptions,
} from "./report/project.js";
export type {
  ConfusionSection,
  GalleryImage,
  GallerySection,
  PointsSection,
  Section,
  SharesSection,
  TableSection,
} from "./report/section.js";
export { imagenetClassNames } from "./retrieval/imagenet-class-names.js";
export { recallAtK } from "./retrieval/recall-at-k.js";
export {
  type ImageTextOptions,
  imageTextRetrieval,
  type RetrievalOptions,
  type RetrievalScores,
  retrievalScores,
} from "./retrieval/retrieval-scores.js";
export { type ZeroShotScores, zeroShotAccuracy, zeroShotScores } from "./retrieval/zero-shot-accuracy.js";
export { type ZeroShotOptions, zeroShotClassifier } from "./retrieval/zero-shot-classifier.js";
export { zeroShotTemplates } from "./retrieval/zero-shot-templates.js";
export { type ClassScatter, classScatter } from "./scatter/class-scatter.js";
export type { SearchOptions } from "./search/score-rows.js";
export {
  type BootstrapInterval,
  type BootstrapOptions,
  bootstrapInterval,
  pairedBootstrap,
} from "./statistics/bootstrap.js";
export { type McNemarTest, mcNemar } from "./statistics/mcnemar.js";
export { type MeanInterval, meanInterval } from "./statistics/mean-interval.js";
export type { Outcomes } from "./statistics/outcomes.js";
export { wilsonInterval } from "./statistics/wilson-interval.js";
