import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { imageArray } from "@dcr-js/data";
import { textImagePairs } from "@dcr-js/eval";
import * as tf from "@tensorflow/tfjs-core";
import { parse } from "csv-parse/sync";
import { encodeDataset } from "./encode-dataset.js";
import type { Evaluation } from "./evaluation.js";
import type { LoadedEncoder } from "./loaded-encoder.js";

interface Question {
  id: number;
  pattern: string;
  statement: string;
}

/**
 * MMVP-VLM (Tong et al. 2024): the folder as published, `Questions.csv` and `MLLM_VLM Images/<pattern>/<id>.jpg`. Questions 1
 * and 2 are a pair, 3 and 4 the next, and so on.
 */
export async function evaluateMMVP(folder: string, loaded: LoadedEncoder): Promise<Evaluation> {
  const questions = await readQuestions(folder);
  const images = questions.map((question) => ({ image: imagePath(folder, question) }));
  const { features: imageFeatures } = await encodeDataset(imageArray(images), loaded);
  const textFeatures = await loaded.encodeText(questions.map(({ statement }) => statement));
  const half = (features: tf.Tensor2D, which: 0 | 1) => {
    const rows = questions.flatMap((_, i) => (i % 2 === which ? [i] : []));
    return tf.tidy(() => tf.gather(features, tf.tensor1d(rows, "int32")));
  };
  const parts = [
    half(imageFeatures, 0),
    half(imageFeatures, 1),
    half(textFeatures, 0),
    half(textFeatures, 1),
  ] as const;
  const patterns = questions.flatMap(({ pattern }, i) => (i % 2 === 0 ? [pattern] : []));
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

/** @throws where the image is not there */
function imagePath(folder: string, { pattern, id }: Question): string {
  const path = join(folder, "MLLM_VLM Images", pattern, `${id}.jpg`);
  if (!existsSync(path)) throw new Error(`mmvp: ${path}: no such file`);
  return path;
}

/** Reads the questions of an MMVP-VLM folder. @throws naming the file and the row that is not as published */
export async function readQuestions(folder: string): Promise<Question[]> {
  const path = join(folder, "Questions.csv");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Error(`mmvp: ${path}: ${error.code === "ENOENT" ? "no such file" : error.message}`);
  });
  const [, ...rows] = parse(text, {
    bom: true,
    skip_empty_lines: true,
    trim: true,
    relax_column_count: true,
  }) as string[][];
  const questions = rows.map(([id, pattern, statement], i): Question => {
    if (!/^\d+$/.test(id ?? "") || !pattern || !statement) {
      throw new Error(`mmvp: ${path}: row ${i + 2} must have a number, a pattern and a statement`);
    }
    return { id: Number(id), pattern, statement };
  });
  if (questions.length === 0 || questions.length % 2 !== 0) {
    throw new Error(`mmvp: ${path}: expected pairs of questions, got ${questions.length} rows`);
  }
  for (let i = 0; i < questions.length; i += 2) {
    if (questions[i]!.pattern !== questions[i + 1]!.pattern) {
      throw new Error(`mmvp: ${path}: rows ${i + 2} and ${i + 3} are a pair and must have one pattern`);
    }
  }
  return questions;
}
