import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import { describeOptions, type OptionCase } from "@dcr-js/testing/options";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll } from "vitest";
import { cosineDistance } from "../distances/cosine-distance.js";
import type { Distance } from "../distances/distance.js";
import { euclideanDistance, lpDistance } from "../distances/lp-distance.js";
import type { Pairs, Triplets } from "../pairs/pairs.js";
import { type AngularMinerOptions, angularMiner } from "./angular-miner.js";
import { type BatchEasyHardOptions, batchEasyHard, batchHard } from "./batch-easy-hard.js";
import { type DistanceWeightedMinerOptions, distanceWeightedMiner } from "./distance-weighted-miner.js";
import type { MinerOptions } from "./mining-inputs.js";
import { type MultiSimilarityMinerOptions, multiSimilarityMiner } from "./multi-similarity-miner.js";
import { type PairMarginMinerOptions, pairMarginMiner } from "./pair-margin-miner.js";
import { type TripletMarginMinerOptions, tripletMarginMiner } from "./triplet-margin-miner.js";

const labels = Array.from({ length: 24 }, (_, i) => i % 4);
const x = tf.tensor2d(normalArray(1, 24 * 3), [24, 3]);
const y = tf.tensor2d(normalArray(2, 24 * 3), [24, 3]);
const narrow = tf.ones([2, 2]);
afterAll(() => tf.dispose([x, y, narrow]));

const list = async (mined: Promise<Triplets | Pairs>): Promise<number[]> => {
  const found = await mined;
  const lists =
    "anchor" in found
      ? [found.anchor, found.positive, found.negative]
      : [found.positive.anchor, found.positive.other, found.negative.anchor, found.negative.other];
  return lists.flatMap((part) => [...part, -1]);
};

const reference = {
  other: { embeddings: y, labels },
  refused: [{}, { embeddings: narrow, labels: [0, 1] }, { embeddings: y, labels: [0] }],
};
const distance: OptionCase<Distance> = {
  // A getter, so that the tests call lpDistance and not the collection of tests.
  get default() {
    return lpDistance();
  },
  other: euclideanDistance,
  refused: ["l2"],
};
const strategies = { refused: ["hardest", 1] };

describeOptions("batchHard", {
  run: (o: MinerOptions) => list(batchHard(x, labels, o)),
  options: { distance, reference },
});
describeOptions("batchEasyHard", {
  run: (o: BatchEasyHardOptions) => list(batchEasyHard(x, labels, o)),
  options: {
    positive: { default: "easy", other: "hard", ...strategies },
    negative: { default: "semihard", other: "hard", ...strategies },
    distance,
    reference,
  },
});
describeOptions("tripletMarginMiner", {
  run: (o: TripletMarginMinerOptions) => list(tripletMarginMiner(x, labels, o)),
  options: {
    margin: { default: 0.2, other: 0.4, range: { min: 0 } },
    type: { default: "all", other: "hard", ...strategies },
    distance,
    reference,
  },
});
describeOptions("pairMarginMiner", {
  run: (o: PairMarginMinerOptions) => list(pairMarginMiner(x, labels, o)),
  options: {
    posMargin: { default: 0.2, other: 0.9, range: {} },
    negMargin: { default: 0.8, other: 0.5, range: {} },
    distance,
    reference,
  },
});
describeOptions("multiSimilarityMiner", {
  run: (o: MultiSimilarityMinerOptions) => list(multiSimilarityMiner(x, labels, o)),
  options: {
    epsilon: { default: 0.1, other: -1, range: {} },
    distance: { ...distance, default: cosineDistance },
    reference,
  },
});
describeOptions("angularMiner", {
  run: (o: AngularMinerOptions) => list(angularMiner(x, labels, o)),
  options: { angle: { default: 20, other: 40, range: { above: 0, below: 90 } }, reference },
});
/** The same numbers in each call. */
const drawn = () => {
  let i = 0;
  return () => (i++ * 0.618) % 1;
};
describeOptions("distanceWeightedMiner", {
  run: ({
    random = drawn,
    ...o
  }: Omit<DistanceWeightedMinerOptions, "random"> & { random?: () => () => number }) =>
    list(distanceWeightedMiner(x, labels, { ...o, random: random() })),
  options: {
    cutoff: { default: 0.5, other: 1, range: { above: 0, below: 2 } },
    nonZeroLossCutoff: { default: 1.4, other: 0.8, range: { above: 0, max: 2 } },
    reference,
    random: { default: drawn, other: () => () => 0.5 },
  },
});
