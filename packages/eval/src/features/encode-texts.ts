import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { type Features, openFeatures } from "./open-features.js";

/** Features of texts, `[n, dim]`, of any encoder. Its caller disposes a tensor that it returns. */
export type EncodeText = (texts: string[]) => Features | Promise<Features>;

export interface EncodeTextsOptions {
  /** Makes features `[n, dim]` of n texts. */
  encodeText: EncodeText;
  /** Texts at a time. Default 64. */
  batchSize?: number;
}

/**
 * Encodes texts, a batch at a time.
 *
 * @returns `[texts, dim]`; the caller disposes it
 *
 * @example
 * const features = await encodeTexts(captions, { encodeText });
 */
export async function encodeTexts(
  texts: readonly string[],
  options: EncodeTextsOptions,
): Promise<tf.Tensor2D> {
  const { encodeText, batchSize = 64 } = checkOptions("encodeTexts", options, {
    encodeText: "function",
    batchSize: true,
  });
  checkNumber("encodeTexts: batchSize", batchSize, { min: 1, integer: true });
  checkTexts("encodeTexts: texts", texts);
  const parts: tf.Tensor2D[] = [];
  try {
    for (let from = 0; from < texts.length; from += batchSize) {
      const part = await encodeBatch("encodeTexts", texts.slice(from, from + batchSize), encodeText);
      parts.push(part);
      if (part.shape[1] !== parts[0].shape[1]) {
        throw new Error(
          `encodeTexts: encodeText must return features of one width, got [${parts[0].shape}] and [${part.shape}]`,
        );
      }
    }
    return tf.tidy(() => tf.concat(parts));
  } finally {
    tf.dispose(parts);
  }
}

/** Encodes texts at once, and disposes what the encoder returned. @throws unless there is a row for each text */
export async function encodeBatch(
  caller: string,
  texts: string[],
  encodeText: EncodeText,
): Promise<tf.Tensor2D> {
  if (typeof encodeText !== "function") {
    throw new TypeError(`${caller}: encodeText must be a function, got ${describe(encodeText)}`);
  }
  const given = await encodeText(texts);
  let features: tf.Tensor2D;
  try {
    features = await openFeatures(`${caller}: encodeText's features`, given);
  } finally {
    if (given instanceof tf.Tensor) given.dispose();
  }
  if (features.shape[0] !== texts.length) {
    features.dispose();
    throw new Error(
      `${caller}: encodeText must return ${texts.length} rows, one for each text, got [${features.shape}]`,
    );
  }
  return features;
}

/** @throws unless it is a list of texts, at least one, none empty */
export function checkTexts(name: string, texts: readonly string[]): void {
  if (!Array.isArray(texts) || texts.length === 0) {
    throw new TypeError(`${name} must be a list of at least one text, got ${describe(texts)}`);
  }
  const bad = texts.findIndex((text) => typeof text !== "string" || text.trim() === "");
  if (bad >= 0) throw new TypeError(`${name}[${bad}] must be a text, got ${describe(texts[bad])}`);
}
