import { textImagePairs } from "@dcr-js/eval";
import { mmvpVLM } from "@dcr-js/eval/datasets";
import * as tf from "@tensorflow/tfjs-core";
import { encodeDataset } from "./encode-dataset.js";
import type { Evaluation } from "./evaluation.js";
import type { LoadedEncoder } from "./loaded-encoder.js";

/** MMVP-VLM (Tong et al. 2024), from its folder as published. */
export async function evaluateMMVP(folder: string, loaded: LoadedEncoder): Promise<Evaluation> {
  const { dataset, statements, patterns } = await mmvpVLM(folder);
  const { features: imageFeatures } = await encodeDataset(dataset, loaded);
  const textFeatures = await loaded.encodeText(statements);
  const half = (features: tf.Tensor2D, which: 0 | 1) => {
    const rows = patterns.map((_, pair) => 2 * pair + which);
    return tf.tidy(() => tf.gather(features, tf.tensor1d(rows, "int32")));
  };
  const parts = [
    half(imageFeatures, 0),
    half(imageFeatures, 1),
    half(textFeatures, 0),
    half(textFeatures, 1),
  ] as const;
  try {
    const scores = await textImagePairs(...parts, patterns);
    return {
      figures: { "MMVP-VLM": { pairs: scores.accuracy } },
      patterns: Object.entries(scores.byPattern).map(([pattern, { accuracy, count }]) => ({
        measure: "MMVP-VLM",
        pattern,
        accuracy,
        count,
      })),
    };
  } finally {
    tf.dispose([imageFeatures, textFeatures, ...parts]);
  }
}
