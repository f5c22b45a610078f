import type { Evaluation, EvaluationInput } from "@dcr-js/cli";
import { type DetailPairScores, imageImagePairs, textImagePairs } from "@dcr-js/eval";
import * as tf from "@tensorflow/tfjs-core";
import { detailCaption } from "../scenes/captions.js";
import { identityFacts } from "../scenes/factors.js";
import type { ScenePair } from "../scenes/splits.js";

/** P-Ability of one encoder. */
export interface DetailScores {
  /** Each of the four images must be nearer to its own twin; chance is one in six. */
  strict: DetailPairScores;
  /** The right matching must have the larger sum of similarities; chance is one in two. */
  twoWay: DetailPairScores;
  /** Shares of pairs in one style and in two. */
  byStyle: { sameStyle: { strict: number; twoWay: number }; twoStyles: { strict: number; twoWay: number } };
}

/**
 * Image-image pairs.
 *
 * @param features `[4 * pairs, dim]`: of each pair the first scene, the second, and their twins
 */
export async function imageDetails(
  features: tf.Tensor2D,
  pairs: readonly ScenePair[],
): Promise<DetailScores> {
  const parts = quarters(features);
  const patterns = pairs.map(({ factor }) => factor);
  try {
    const [strict, twoWay] = [
      await imageImagePairs(...parts, patterns, { rule: "strict" }),
      await imageImagePairs(...parts, patterns, { rule: "matching" }),
    ];
    const share = (scores: DetailPairScores, sameStyle: boolean) => {
      const own = scores.pairs.filter((_, i) => pairs[i].sameStyle === sameStyle);
      return own.filter(({ correct }) => correct).length / own.length;
    };
    const of = (sameStyle: boolean) => ({
      strict: share(strict, sameStyle),
      twoWay: share(twoWay, sameStyle),
    });
    return { strict, twoWay, byStyle: { sameStyle: of(true), twoStyles: of(false) } };
  } finally {
    tf.dispose(parts);
  }
}

/**
 * Text-image pairs with the first two scenes of each pair: "tiger facing left" and "tiger facing right". What CLIP has never seen goes by its
 * category: "animal facing left".
 *
 * @param features as of {@link imageDetails}
 * @returns by the rule of the larger sum, with a chance of one in two: of the statements, most are rare in what CLIP has read
 */
export async function textDetails(
  encodeText: EvaluationInput["encodeText"],
  features: tf.Tensor2D,
  pairs: readonly ScenePair[],
): Promise<DetailPairScores> {
  const statement = ({ factor, scenes }: ScenePair, which: 0 | 1) =>
    detailCaption(scenes[which], factor, { category: !identityFacts[scenes[which].identity].known });
  const sides = ([0, 1] as const).map((which) => pairs.map((pair) => statement(pair, which)));
  const texts = [...new Set(sides.flat())];
  const encoded = await encodeText(texts);
  const own: tf.Tensor[] = [encoded];
  try {
    const rows = sides.map((list) => {
      const indices = list.map((text) => texts.indexOf(text));
      const gathered = tf.tidy(() => tf.gather(encoded, tf.tensor1d(indices, "int32")));
      own.push(gathered);
      return gathered;
    });
    const parts = quarters(features);
    own.push(...parts);
    const patterns = pairs.map(({ factor }) => factor);
    return await textImagePairs(parts[0], parts[1], rows[0], rows[1], patterns, { rule: "matching" });
  } finally {
    tf.dispose(own);
  }
}

/** Rows 0, 4, 8, ..., rows 1, 5, 9, ..., and so on. */
function quarters(features: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] {
  const [n, dim] = features.shape;
  return tf.tidy(() =>
    tf.split(tf.reshape(features, [n / 4, 4, dim]), 4, 1).map((part) => tf.reshape(part, [n / 4, dim])),
  ) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
}

/** Accuracy by factor, as a report shows it. */
export function byFactor(measure: string, scores: DetailPairScores): NonNullable<Evaluation["patterns"]> {
  return Object.entries(scores.byPattern).map(([pattern, { accuracy, count }]) => ({
    measure,
    pattern,
    accuracy,
    count,
  }));
}
