import "@tensorflow/tfjs-backend-cpu";
import { normalArray } from "@dcr-js/testing";
import { describeOptions, type OptionCase } from "@dcr-js/testing/options";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll } from "vitest";
import "../shared/register-gradients.js";
import { cosineDistance } from "../distances/cosine-distance.js";
import { cosineSimilarity } from "../distances/cosine-similarity.js";
import type { Distance, Similarity } from "../distances/distance.js";
import { dotSimilarity } from "../distances/dot-similarity.js";
import { lpDistance } from "../distances/lp-distance.js";
import { pairsFromLabels, tripletsFromPairs } from "../pairs/pairs.js";
import type { WithoutPositives } from "../pairs/without-positives.js";
import type { Reduction } from "../reducers/reduce.js";
import { type AlignmentOptions, alignment } from "./alignment.js";
import { type AngularOptions, angular } from "./angular.js";
import type { MarginSoftmaxOptions } from "./angular-softmax.js";
import { arcFace } from "./arc-face.js";
import { type BarlowTwinsOptions, barlowTwins } from "./barlow-twins.js";
import { type CircleOptions, circle } from "./circle.js";
import { type ClipLossOptions, clipLoss } from "./clip.js";
import { type ContrastiveLossOptions, contrastiveLoss } from "./contrastive-loss.js";
import { cosFace } from "./cos-face.js";
import { type DCROptions, dcr } from "./dcr.js";
import { type DebiasedOptions, debiased } from "./debiased.js";
import { type DecoupledOptions, decoupled } from "./decoupled.js";
import { type DINOOptions, dino, updateCenter } from "./dino.js";
import { type FastAPOptions, fastAP } from "./fast-ap.js";
import { generalizedLiftedStructure } from "./generalized-lifted-structure.js";
import { type HardNegativeOptions, hardNegative } from "./hard-negative.js";
import { type InfoNCEOptions, infoNCE } from "./info-nce.js";
import { type KoLeoOptions, koLeo } from "./ko-leo.js";
import { type LeJEPAOptions, leJEPA } from "./le-jepa.js";
import { liftedStructure } from "./lifted-structure.js";
import type { LiftedStructureOptions } from "./lifted-structure-options.js";
import { type MarginOptions, margin } from "./margin.js";
import { type MMCROptions, mmcr } from "./mmcr.js";
import { type MultiPositiveOptions, multiPositive } from "./multi-positive.js";
import { type MultiSimilarityOptions, multiSimilarity } from "./multi-similarity.js";
import { type NPairsOptions, nPairs } from "./n-pairs.js";
import { type NCAOptions, nca } from "./nca.js";
import { type NegativeCosineOptions, negativeCosine } from "./negative-cosine.js";
import { type NormalizedSoftmaxOptions, normalizedSoftmax } from "./normalized-softmax.js";
import { type NTXentOptions, ntXent } from "./nt-xent.js";
import { type NTXentFromLabelsOptions, ntXentFromLabels } from "./nt-xent-from-labels.js";
import { type ProxyAnchorOptions, proxyAnchor } from "./proxy-anchor.js";
import { type ProxyNCAOptions, proxyNCA } from "./proxy-nca.js";
import { type RankedListOptions, rankedList } from "./ranked-list.js";
import { type SIGRegOptions, sigReg } from "./sig-reg.js";
import { sigLipLoss } from "./siglip.js";
import { type SinkhornOptions, sinkhorn } from "./sinkhorn.js";
import { snrContrastive } from "./snr-contrastive.js";
import { type SoftTripleOptions, softTriple } from "./soft-triple.js";
import { subCenterArcFace } from "./sub-center-arc-face.js";
import { supCon } from "./sup-con.js";
import { type SwAVOptions, swav } from "./swav.js";
import { type TiCoOptions, tiCo, tiCoCovariance } from "./ti-co.js";
import { type TripletLossOptions, tripletLoss } from "./triplet-loss.js";
import { type TripletMarginOptions, tripletMargin } from "./triplet-margin.js";
import { type TupletMarginOptions, tupletMargin } from "./tuplet-margin.js";
import { type UniformityOptions, uniformity } from "./uniformity.js";
import { type VICRegOptions, vicReg } from "./vic-reg.js";

const [n, dim] = [7, 4];
const labels = [0, 1, 0, 1, 2, 2, 1];
const x = tf.tensor2d(normalArray(1, n * dim), [n, dim]);
const y = tf.tidy(
  () => tf.add(x, tf.mul(tf.tensor2d(normalArray(2, n * dim), [n, dim]), 0.5)) as tf.Tensor2D,
);
const weights = tf.tensor2d(normalArray(3, 3 * dim), [3, dim]);
const centers = tf.tensor3d(normalArray(4, 3 * 2 * dim), [3, 2, dim]);
const crops = [5, 6, 7].map((seed) => tf.tensor2d(normalArray(seed, n * dim), [n, dim]));
const stacked = tf.tensor3d(normalArray(8, 3 * n * dim), [3, n, dim]);
const square = tf.tensor2d(normalArray(9, dim * dim), [dim, dim]);
const point = tf.tensor1d(normalArray(10, dim));
const zeros = tf.zeros([dim]);
const noCovariance = tf.zeros([dim, dim]) as tf.Tensor2D;
afterAll(() => tf.dispose([x, y, weights, centers, crops, stacked, square, point, zeros, noCovariance]));

const reduction: OptionCase<Reduction> = { default: "mean", other: "sum", refused: ["average", 1] };
const positive = { range: { above: 0 } };
const similarity: OptionCase<Similarity> = {
  default: cosineSimilarity,
  other: dotSimilarity,
  refused: ["dot"],
};
// Made in the tests, by getters: what they make is tested too.
const distance: OptionCase<Distance> = {
  get default() {
    return lpDistance();
  },
  other: cosineDistance,
  refused: ["l2"],
};
const some = () => pairsFromLabels([0, 1, 0, 2, 3, 4, 1]);
const withoutPositives: OptionCase<WithoutPositives> = { default: "error", refused: ["ignore"] };
/** The options of every loss of pairs or triplets. */
const tuples = {
  withoutPositives,
  pairs: {
    get default() {
      return pairsFromLabels(labels);
    },
    get other() {
      return some();
    },
    get refused() {
      return [{}, { positive: some().positive, negative: 1 }];
    },
  },
  triplets: {
    get other() {
      return tripletsFromPairs(some());
    },
    refused: [{}, 1],
  },
  reference: {
    other: { embeddings: y, labels },
    refused: [{}, { embeddings: weights, labels }, { embeddings: point, labels: [1] }],
  },
  reduction,
};
const own = Array.from({ length: n * n }, (_, at) => labels[Math.floor(at / n)] === labels[at % n]);
const none = own.map(() => false);
const falseNegatives = none.map((_, at) => at % n === (Math.floor(at / n) + 1) % n);
const temperature = (value: number) => ({ default: value, other: 0.3, ...positive });

describeOptions("alignment", {
  run: (o: AlignmentOptions) => alignment(x, y, o),
  options: { alpha: { default: 2, other: 1, ...positive }, reduction },
});
describeOptions("angular", {
  run: (o: AngularOptions) => angular(x, labels, o),
  options: { alpha: { default: 40, other: 30, range: { above: 0, below: 90 } }, ...tuples },
});
const marginSoftmax = (margin: number, max: number) => ({
  weights: { other: square, refused: [1, point] },
  margin: { default: margin, other: margin / 2, range: { min: 0, max } },
  scale: { default: 64, other: 8, ...positive },
  reduction,
});
describeOptions("arcFace", {
  run: (o: MarginSoftmaxOptions) => arcFace(x, labels, o),
  given: { weights },
  options: marginSoftmax(28.6, 180),
});
describeOptions("subCenterArcFace", {
  run: (o: MarginSoftmaxOptions) => subCenterArcFace(x, labels, o),
  given: { weights: centers },
  options: { ...marginSoftmax(28.6, 180), weights: { refused: [weights] } },
});
describeOptions("cosFace", {
  run: (o: MarginSoftmaxOptions) => cosFace(x, labels, o),
  given: { weights },
  options: marginSoftmax(0.35, 2),
});
describeOptions("barlowTwins", {
  run: (o: BarlowTwinsOptions) => barlowTwins(x, y, o),
  options: {
    lambda: { default: 5e-3, other: 1, range: { min: 0 } },
    epsilon: { default: 1e-5, other: 1e-2, ...positive },
  },
});
describeOptions("circle", {
  run: (o: CircleOptions) => circle(x, labels, o),
  options: {
    m: { default: 0.4, other: 0.25, range: { above: 0, below: 1 } },
    gamma: { default: 80, other: 10, ...positive },
    similarity,
    ...tuples,
  },
});
const blockSize = { range: { min: 1, integer: true } };
describeOptions("clipLoss", {
  run: (o: ClipLossOptions) => clipLoss(x, y, 10, o),
  options: { similarity, blockSize, reduction },
});
describeOptions("the scale of clipLoss", {
  run: ({ logitScale = 10 }: { logitScale?: number | tf.Tensor }) => clipLoss(x, y, logitScale),
  options: { logitScale: { default: 10, other: 5, range: { above: 0, max: 100 }, refused: [zeros] } },
  arguments: true,
});
describeOptions("sigLipLoss", {
  run: (o: ClipLossOptions) => sigLipLoss(x, y, 10, -10, o),
  options: { similarity, blockSize, reduction },
});
describeOptions("scale and bias of sigLipLoss", {
  run: ({ logitScale = 10, logitBias = -10 }: { logitScale?: number; logitBias?: number | tf.Tensor }) =>
    sigLipLoss(x, y, logitScale, logitBias),
  options: {
    logitScale: { default: 10, other: 5, range: { above: 0, max: 100 } },
    logitBias: { default: -10, other: -5, range: {}, refused: [zeros] },
  },
  arguments: true,
});
const margins = {
  posMargin: { default: 0, other: 0.3, range: {} },
  negMargin: { default: 1, other: 0.5, range: {} },
};
describeOptions("contrastiveLoss", {
  run: (o: ContrastiveLossOptions) => contrastiveLoss(x, labels, o),
  options: { ...margins, distance, ...tuples },
});
describeOptions("snrContrastive", {
  run: (o: Omit<ContrastiveLossOptions, "distance">) => snrContrastive(x, labels, o),
  options: { ...margins, ...tuples },
});
describeOptions("dcr", {
  run: (o: DCROptions) =>
    tf.tidy(() => dcr({ anchor: x, positives: [y], negatives: tf.stack([crops[0], crops[1]], 1) }, o)),
  options: { temperature: temperature(0.1), reduction },
});
const corrected = {
  temperature: temperature(0.5),
  classPrior: { default: 0.1, other: 0.3, range: { min: 0, below: 1 } },
  blockSize,
  reduction,
};
describeOptions("debiased", { run: (o: DebiasedOptions) => debiased(x, y, o), options: corrected });
describeOptions("hardNegative", {
  run: (o: HardNegativeOptions) => hardNegative(x, y, o),
  options: { ...corrected, beta: { default: 1, other: 2, range: { min: 0 } } },
});
describeOptions("decoupled", {
  run: (o: DecoupledOptions) => decoupled(x, y, o),
  options: { temperature: temperature(0.1), sigma: { other: 0.5, ...positive }, blockSize, reduction },
});
describeOptions("dino", {
  run: (o: DINOOptions) => dino({ student: crops, teacher: crops.slice(0, 2) }, o),
  options: {
    center: { default: zeros, other: point, refused: [square] },
    teacherTemperature: { default: 0.04, other: 0.1, ...positive },
    studentTemperature: { default: 0.1, other: 0.2, ...positive },
  },
});
describeOptions("updateCenter", {
  run: (o: { momentum?: number }) => updateCenter(point, crops, o),
  options: { momentum: { default: 0.9, other: 0.5, range: { min: 0, max: 1 } } },
});
describeOptions("fastAP", {
  run: (o: FastAPOptions) => fastAP(x, labels, o),
  options: { bins: { default: 10, other: 5, range: { min: 1, integer: true } }, withoutPositives, reduction },
});
for (const [name, loss] of Object.entries({ liftedStructure, generalizedLiftedStructure })) {
  describeOptions(name, {
    run: (o: LiftedStructureOptions) => loss(x, labels, o),
    options: { ...margins, distance, ...tuples },
  });
}
describeOptions("infoNCE", {
  run: (o: InfoNCEOptions) => infoNCE(x, y, o),
  options: {
    temperature: temperature(0.1),
    similarity,
    negatives: { other: square, refused: [point] },
    symmetric: { default: false, other: true },
    blockSize,
    excluded: { default: none, other: falseNegatives, refused: [[true], none.map(String)] },
    reduction,
  },
});
describeOptions("koLeo", {
  run: (o: KoLeoOptions) => koLeo(x, o),
  options: { epsilon: { default: 1e-8, other: 1e-2, ...positive }, blockSize, reduction },
});
const sigRegOptions = {
  knots: { default: 17, other: 5, range: { min: 2, integer: true } },
  maxFrequency: { default: 3, other: 2, ...positive },
  directions: { other: square, refused: [weights, point] },
  seed: { default: 0, other: 1, range: { min: 0, integer: true } },
};
describeOptions("sigReg", { run: (o: SIGRegOptions) => sigReg(x, o), options: sigRegOptions });
describeOptions("leJEPA", {
  run: (o: LeJEPAOptions) => leJEPA({ global: stacked, local: stacked }, o),
  options: { lambda: { default: 0.05, other: 0.5, range: { min: 0, max: 1 } }, ...sigRegOptions },
});
describeOptions("margin", {
  run: (o: MarginOptions) => margin(x, labels, o),
  options: {
    margin: { default: 0.2, other: 0.4, range: { min: 0 } },
    beta: { default: 1.2, other: 1, range: {}, refused: [point] },
    distance,
    ...tuples,
  },
});
describeOptions("mmcr", {
  run: (o: MMCROptions) => mmcr(stacked, o),
  options: { lambda: { default: 5e-3, other: 1, range: { min: 0 } } },
});
const contrastOptions = {
  temperature: temperature(0.1),
  similarity,
  formulation: { default: "out" as const, other: "in" as const, refused: ["both"] },
  excluded: {
    default: none,
    other: falseNegatives,
    refused: [[true]],
  },
  weights: {
    default: [1, 1, 1, 1, 1, 1, 1],
    other: [2, 1, 1, 1, 1, 1, 1],
    refused: [[1], [1, 1, 1, 1, 1, 1, -1e-6]],
  },
  withoutPositives,
  blockSize,
  reduction,
};
describeOptions("multiPositive", {
  run: (o: MultiPositiveOptions & { positive: ArrayLike<boolean | number> }) => multiPositive(x, y, o),
  given: { positive: own },
  options: {
    ...contrastOptions,
    positive: { other: own.map((_, at) => at % (n + 1) === 0), refused: [[true]] },
  },
});
describeOptions("supCon", {
  run: (o: MultiPositiveOptions) => supCon(x, [0, 1, 0, 1, 1, 0, 1], o),
  options: contrastOptions,
});
describeOptions("multiSimilarity", {
  run: (o: MultiSimilarityOptions) => multiSimilarity(x, labels, o),
  options: {
    alpha: { default: 2, other: 1, ...positive },
    beta: { default: 50, other: 10, ...positive },
    base: { default: 0.5, other: 0.3, range: {} },
    similarity,
    ...tuples,
  },
});
describeOptions("nPairs", {
  run: (o: NPairsOptions) => nPairs(x, labels, o),
  options: {
    similarity: { ...similarity, default: dotSimilarity, other: cosineSimilarity },
    l2Regularization: { default: 0, other: 0.1, range: { min: 0 } },
    withoutPositives,
    reduction,
  },
});
const softmaxScale = { default: 1, other: 2, ...positive };
describeOptions("nca", {
  run: (o: NCAOptions) => nca(x, labels, o),
  options: {
    softmaxScale,
    distance: { ...distance, default: lpDistance({ power: 2 }) },
    reference: tuples.reference,
    withoutPositives,
    reduction,
  },
});
describeOptions("proxyNCA", {
  run: (o: ProxyNCAOptions) => proxyNCA(x, labels, o),
  given: { weights },
  options: {
    weights: { other: square, refused: [1] },
    softmaxScale,
    distance: { ...distance, default: lpDistance({ power: 2 }) },
    reduction,
  },
});
describeOptions("the gradient of negativeCosine", {
  run: (o: NegativeCosineOptions) => tf.grad((target) => tf.sum(negativeCosine(x, tf.add(target, 0), o)))(y),
  options: { stopTarget: { default: true, other: false }, reduction: { ...reduction, other: undefined } },
});
describeOptions("negativeCosine", {
  run: (o: NegativeCosineOptions) => negativeCosine(x, y, o),
  options: { stopTarget: { default: true }, reduction },
});
describeOptions("normalizedSoftmax", {
  run: (o: NormalizedSoftmaxOptions) => normalizedSoftmax(x, labels, o),
  given: { weights },
  options: { weights: { other: square, refused: [1] }, temperature: temperature(0.05), reduction },
});
describeOptions("ntXentFromLabels", {
  run: (o: NTXentFromLabelsOptions) => ntXentFromLabels(x, labels, o),
  options: { temperature: temperature(0.1), similarity, ...tuples },
});
describeOptions("ntXent", {
  run: (o: NTXentOptions) => ntXent(x, y, o),
  options: {
    temperature: temperature(0.1),
    similarity,
    blockSize,
    excluded: {
      default: new Array(4 * n * n).fill(false),
      other: Array.from(
        { length: 4 * n * n },
        (_, at) => at % (2 * n) === (Math.floor(at / (2 * n)) + 1) % (2 * n),
      ),
      refused: [[true], none],
    },
    reduction,
  },
});
describeOptions("proxyAnchor", {
  run: (o: ProxyAnchorOptions) => proxyAnchor(x, labels, o),
  given: { weights },
  options: {
    weights: { other: square, refused: [1] },
    margin: { default: 0.1, other: 0.3, range: {} },
    alpha: { default: 32, other: 8, ...positive },
  },
});
describeOptions("rankedList", {
  run: (o: RankedListOptions) => rankedList(x, labels, o),
  options: {
    margin: { default: 0.4, other: 0.2, range: { min: 0 } },
    alpha: { default: 1.2, other: 1, range: {} },
    imbalance: { default: 0.5, other: 0.2, range: { min: 0, max: 1 } },
    positiveTemperature: { default: 0, other: 2, range: { min: 0 } },
    negativeTemperature: { default: 10, other: 1, range: { min: 0 } },
    distance,
    withoutPositives,
    reduction,
  },
});
const assignment = {
  iterations: { default: 3, other: 1, range: { min: 1, integer: true } },
  epsilon: { default: 0.05, other: 0.5, ...positive },
};
describeOptions("sinkhorn", { run: (o: SinkhornOptions) => sinkhorn(x, o), options: assignment });
describeOptions("swav", {
  run: (o: SwAVOptions) => swav(crops.slice(0, 2), o),
  options: {
    lowResolution: { default: [], other: [x] },
    temperature: temperature(0.1),
    queue: { other: [x, y], refused: [[x]] },
    ...assignment,
  },
});
describeOptions("softTriple", {
  run: (o: SoftTripleOptions) => softTriple(x, labels, o),
  given: { weights: centers },
  options: {
    weights: { refused: [weights] },
    scale: { default: 20, other: 5, ...positive },
    gamma: { default: 0.1, other: 1, ...positive },
    margin: { default: 0.01, other: 0.2, range: { min: 0 } },
    reduction,
  },
});
const momentum = { default: 0.9, other: 0.5, range: { min: 0, max: 1 } };
describeOptions("tiCo", {
  run: (o: TiCoOptions) => tiCo(x, y, o),
  options: {
    covariance: { default: noCovariance, other: square, refused: [point] },
    beta: momentum,
    rho: { default: 8, other: 1, range: { min: 0 } },
  },
});
describeOptions("tiCoCovariance", {
  run: (o: Omit<TiCoOptions, "rho">) => tiCoCovariance(x, o),
  options: { covariance: { default: noCovariance, other: square, refused: [point] }, beta: momentum },
});
describeOptions("tripletLoss", {
  run: (o: TripletLossOptions) => tripletLoss(x, labels, o),
  options: {
    margin: { default: 0.05, other: 0.2, range: { min: 0 } },
    distance,
    swap: { default: false, other: true },
    smooth: { default: false, other: true },
    ...tuples,
  },
});
describeOptions("tripletMargin", {
  run: (o: TripletMarginOptions) => tripletMargin({ anchor: x, positive: y, negative: crops[0] }, o),
  options: {
    margin: { default: 1, other: 5, ...positive },
    distance: { default: "euclidean", other: "cosine", refused: ["l2"] },
    swap: { default: false, other: true },
    reduction,
  },
});
describeOptions("tupletMargin", {
  run: (o: TupletMarginOptions) => tupletMargin(x, labels, o),
  options: {
    margin: { default: 5.73, other: 10, range: { min: 0, max: 180 } },
    scale: { default: 64, other: 8, ...positive },
    ...tuples,
  },
});
describeOptions("uniformity", {
  run: (o: UniformityOptions) => uniformity(x, o),
  options: { t: { default: 2, other: 1, ...positive }, blockSize },
});
const weight = (value: number) => ({ default: value, other: 3, range: { min: 0 } });
describeOptions("vicReg", {
  run: (o: VICRegOptions) => vicReg(x, y, o),
  options: {
    invarianceWeight: weight(25),
    varianceWeight: weight(25),
    covarianceWeight: weight(1),
    epsilon: { default: 1e-4, other: 1e-1, ...positive },
  },
});
describeOptions("lpDistance", {
  run: (o: { p?: number; power?: number; normalize?: boolean }) => lpDistance(o)(x, y),
  options: {
    p: { default: 2, other: 1, range: { min: 1 } },
    power: { default: 1, other: 2, ...positive },
    normalize: { default: true, other: false },
  },
});
