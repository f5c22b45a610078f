import {
  type DetailPairScores,
  type Section,
  splitPairs,
  textImagePairs,
  wilsonInterval,
} from "@dcr-js/eval";
import { mmvpVLM } from "@dcr-js/eval/datasets";
import * as tf from "@tensorflow/tfjs-core";
import { encodeDataset } from "./encode-dataset.js";
import type { Evaluation } from "./evaluation.js";
import type { EvaluationInput } from "./evaluation-input.js";

/** MMVP-VLM (Tong et al. 2024), from its folder as published. */
export async function evaluateMMVP(folder: string, input: EvaluationInput): Promise<Evaluation> {
  const { dataset, statements, patterns } = await mmvpVLM(folder);
  const { features: imageFeatures } = await encodeDataset(dataset, input);
  const owned: tf.Tensor[] = [imageFeatures];
  try {
    const textFeatures = await input.encodeText(statements);
    owned.push(textFeatures);
    const parts = [...splitPairs(imageFeatures), ...splitPairs(textFeatures)] as const;
    owned.push(...parts);
    const scores = await textImagePairs(...parts, patterns);
    if (input.addSection) for (const section of pairSections(scores, statements)) input.addSection(section);
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
    tf.dispose(owned);
  }
}

/** Sections of a report: the shares by pattern, and every pair. */
function pairSections(
  { accuracy, interval, count, byPattern, pairs }: DetailPairScores,
  statements: string[],
): Section[] {
  const patterns = Object.entries(byPattern).map(([name, share]) => ({
    name,
    value: share.accuracy,
    interval: wilsonInterval(share.accuracy, share.count),
    count: share.count,
  }));
  return [
    {
      kind: "shares",
      title: "MMVP-VLM",
      shares: [{ name: "all", value: accuracy, interval, count }, ...patterns],
    },
    {
      kind: "table",
      title: "MMVP-VLM: pairs",
      columns: [
        "pattern",
        "statement A",
        "statement B",
        "A with A",
        "A with B",
        "B with A",
        "B with B",
        "right",
      ],
      rows: pairs.map(({ pattern, similarities, correct }, i) => [
        pattern,
        statements[2 * i]!,
        statements[2 * i + 1]!,
        ...similarities,
        correct ? "yes" : "no",
      ]),
    },
  ];
}
