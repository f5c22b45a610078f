import "./shared/register-gradients.js";

export {
  adjustedRandIndex,
  type ClusteringScores,
  clusteringAccuracy,
  clusteringScores,
  type KMeansOptions,
  kMeans,
  normalizedMutualInformation,
} from "./clustering.js";
export {
  type DetailPairScores,
  imageImagePairs,
  type PairResult,
  textImagePairs,
  wilsonInterval,
} from "./detail-pairs.js";
export { nearestNeighbourAccuracy } from "./nearest-neighbours.js";
export { recallAtK, zeroShotAccuracy } from "./retrieval.js";
