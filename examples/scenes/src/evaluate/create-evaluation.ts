import type { Evaluation, EvaluationInput, EvaluationModule } from "@dcr-js/cli";
import { zeroShotAccuracy, zeroShotClassifier } from "@dcr-js/eval";
import * as tf from "@tensorflow/tfjs-core";
import type { Split } from "../scenes/splits.js";
import { loadSprites } from "../scenes/sprites.js";
import { checkChoice, checkNumber, checkOptions } from "../shared/check-options.js";
import { byFactor, imageDetails, textDetails } from "./details.js";
import { type Discrimination, discrimination, grouping } from "./discrimination.js";
import { encodeImages } from "./encode-images.js";
import { type EvaluationSets, evaluationSets, type LabelledScenes } from "./evaluation-sets.js";
import { loadDigits, loadSingleEmoji, type OutOfDomainSet } from "./out-of-domain.js";
import { everyRow, varianceExplained } from "./variance-explained.js";

export interface CreateEvaluationOptions {
  /** The part of the generator's scenes. Default "test". */
  split?: Exclude<Split, "train">;
  /** The generator's seed, an integer in [0, 2^53): other seeds give other scenes of the same distribution. Default 0. */
  seed?: number;
  /** Detail pairs, a multiple of 16. Default 4,000: a standard error of at most 0.8 points. */
  pairs?: number;
  /** Scenes in each of the three sets for D-Ability, at least 200. Default 2,000. */
  scenes?: number;
  /** Whether MNIST and single emoji are evaluated too. Default true. */
  outOfDomain?: boolean;
}

/**
 * An evaluation module for `--evaluate` of the command: D-Ability and P-Ability on generated scenes.
 *
 * Figures are shares in [0, 1]. The group `means` has `D`, the mean of k-means' NMI and ACC on the held-out style and on the unknown
 * identities; `P strict` and `P two-way`, over all image-image pairs; and `k-NN`, the mean of the same two sets as `D`. `standardErrors` has those
 * of independent pairs and scenes, where there is a formula. The result is a function of the encoder, the options and the command's seed, which k-means starts from.
 *
 * @throws on an unknown option and on one out of range, with its name
 *
 * @example
 * // held-out.mjs, for dcr evaluate --on held-out.mjs
 * export default createEvaluation({ seed: 1234567 });
 */
export function createEvaluation(options?: CreateEvaluationOptions): EvaluationModule {
  const caller = "createEvaluation";
  const checked = checkOptions(caller, options, {
    split: true,
    seed: true,
    pairs: true,
    scenes: true,
    outOfDomain: "boolean",
  });
  const { outOfDomain = true, seed = 0, scenes = 2000, pairs = 4000 } = checked;
  const split = checkChoice(`${caller}: split`, checked.split ?? "test", ["validation", "test"]);
  checkNumber(`${caller}: seed`, seed, { min: 0, integer: true });
  checkNumber(`${caller}: scenes`, scenes, { min: 200, integer: true });
  checkNumber(`${caller}: pairs`, pairs, { min: 16, integer: true });
  if (pairs % 16 !== 0) throw new RangeError(`${caller}: pairs must be a multiple of 16, got ${pairs}`);
  // Encoders are evaluated one after the other, on the same images.
  let loaded: { size: number; sets: EvaluationSets; others: Record<string, OutOfDomainSet> } | undefined;
  return async (input) => {
    const size = input.encoder.imageSize;
    if (loaded?.size !== size) {
      const sprites = await loadSprites();
      const sets = evaluationSets({ split, seed, scenes, pairsPerFactor: pairs / 8, size, sprites });
      const others = { MNIST: await loadDigits(size), "single emoji": await loadSingleEmoji(size) };
      loaded = { size, sets, others: outOfDomain ? others : {} };
    }
    const evaluation = await evaluateScenes(input, loaded.sets);
    Object.assign(evaluation.figures, await evaluateOutOfDomain(input, loaded.others));
    return evaluation;
  };
}

async function evaluateScenes(input: EvaluationInput, sets: EvaluationSets): Promise<Evaluation> {
  const own: tf.Tensor[] = [];
  const encoded = async (images: LabelledScenes | EvaluationSets["pairs"]) => {
    const features = await encodeImages(input, images);
    own.push(features);
    return features;
  };
  try {
    const features = {
      heldOutStyle: await encoded(sets.heldOutStyle),
      unknownIdentities: await encoded(sets.unknownIdentities),
      mild: await encoded(sets.mild),
      pairs: await encoded(sets.pairs),
    };
    const D = async (set: "heldOutStyle" | "unknownIdentities" | "mild") =>
      discrimination(features[set], sets[set].labels, input.seed);
    const [heldOut, unknown, mild] = [await D("heldOutStyle"), await D("unknownIdentities"), await D("mild")];
    const zeroShot = await zeroShotNames(input, features.heldOutStyle, sets.heldOutStyle);

    const { pairs } = sets.pairs;
    const { strict, twoWay, byStyle } = await imageDetails(features.pairs, pairs);
    const text = await textDetails(input.encodeText, features.pairs, pairs);
    const first = everyRow(features.pairs, 4);
    own.push(first);
    const explained = await varianceExplained(
      first,
      pairs.map(({ scenes }) => scenes[0]),
    );

    const clusters = ({ NMI, ACC }: Discrimination) => (NMI + ACC) / 2;
    const n = sets.heldOutStyle.labels.length;
    const shownRows = 500;
    return {
      figures: {
        means: {
          D: (clusters(heldOut) + clusters(unknown)) / 2,
          "P strict": strict.accuracy,
          "P two-way": twoWay.accuracy,
          "k-NN": (heldOut.kNN + unknown.kNN) / 2,
        },
        "held-out style": { ...heldOut, "zero-shot": zeroShot },
        "unknown identities": { ...unknown },
        mild: { ...mild },
        "P by style": {
          "strict, one style": byStyle.sameStyle.strict,
          "strict, two styles": byStyle.twoStyles.strict,
          "two-way, one style": byStyle.sameStyle.twoWay,
          "two-way, two styles": byStyle.twoStyles.twoWay,
          "text, two-way": text.accuracy,
        },
        "variance explained": explained,
      },
      standardErrors: {
        means: {
          "P strict": standardError(strict.accuracy, strict.count),
          "P two-way": standardError(twoWay.accuracy, twoWay.count),
          "k-NN": Math.hypot(standardError(heldOut.kNN, n), standardError(unknown.kNN, n)) / 2,
        },
        "held-out style": { "zero-shot": standardError(zeroShot, n) },
        "P by style": { "text, two-way": standardError(text.accuracy, text.count) },
      },
      patterns: [
        ...byFactor("P strict", strict),
        ...byFactor("P two-way", twoWay),
        ...byFactor("P text, two-way (chance 50 %)", text),
      ],
      features: {
        values: ((await features.unknownIdentities.array()) as number[][]).slice(0, shownRows),
        labels: sets.unknownIdentities.scenes.slice(0, shownRows).map(({ identity }) => identity),
      },
    };
  } finally {
    tf.dispose(own);
  }
}

async function zeroShotNames(
  { encodeText }: EvaluationInput,
  features: tf.Tensor2D,
  { classes, labels }: LabelledScenes,
): Promise<number> {
  const texts = await zeroShotClassifier(encodeText, { classNames: classes, templates: ["{}"] });
  try {
    return await zeroShotAccuracy(features, texts, labels);
  } finally {
    texts.dispose();
  }
}

async function evaluateOutOfDomain(
  input: EvaluationInput,
  sets: Record<string, OutOfDomainSet>,
): Promise<Evaluation["figures"]> {
  const figures: Evaluation["figures"] = {};
  for (const [name, set] of Object.entries(sets)) {
    const features = await encodeImages(input, set);
    try {
      // Rows stand in the order of the classes, so there is no half to fit a probe to.
      figures[name] = { ...(await grouping(features, set.labels, input.seed)) };
    } finally {
      features.dispose();
    }
  }
  return figures;
}

/** The standard error of a share of n independent trials. */
const standardError = (share: number, n: number): number => Math.sqrt((share * (1 - share)) / n);
