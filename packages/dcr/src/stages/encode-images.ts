import type { ImageEncoder } from "@dcr-js/encoders";
import type { Parameter, Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";
import type { ImageNormalizer } from "./stage-options.js";
import { sumOfGradients } from "./sum-of-gradients.js";

/** The images of a batch, and how they go through the encoder. */
export interface EncodedImages {
  encoder: ImageEncoder;
  processor: ImageNormalizer;
  /** `n * size * size * 3` values in [0, 1]. */
  images: Float32Array;
  size: number;
  /** Images at once; 0 takes all. */
  microBatch: number;
  /** Where conditions take local tokens: their share, and what draws them. */
  localTokens?: { share: number; random: Random };
  /** The encoder's source of dropout masks, and the state it has at the first image; each micro-batch forks its own. */
  dropout?: { source: Random; masks: Random };
}

/**
 * Features `[n, d]`, or with local tokens `[n, 1 + m, d]`, the feature first: a micro-batch at a time, without a graph. The
 * caller disposes them.
 */
export function encodeInMicroBatches(given: EncodedImages): tf.Tensor {
  return tf.tidy(() => tf.concat([...microBatches(given)].map((part) => tf.tidy(() => encode(given, part)))));
}

/**
 * `sum <dFeatures, d features / d parameters>`, a micro-batch at a time with a graph (GradCache over the encoder; Gao et al. 2021):
 * memory does not grow with the number of images. The caller disposes the result.
 *
 * @param dFeatures a loss's gradient at what `encodeInMicroBatches` gave, of its shape
 */
export function backpropagateInMicroBatches(
  given: EncodedImages,
  parameters: readonly Parameter[],
  dFeatures: tf.Tensor,
): tf.Tensor[] {
  return sumOfGradients(parameters, microBatches(given), (part) => {
    const dPart = tf.slice(dFeatures, part.start, part.count);
    return tf.sum(tf.mul(encode(given, part), dPart)) as tf.Scalar;
  })!;
}

interface MicroBatch {
  start: number;
  count: number;
}

function* microBatches({ images, size, microBatch }: EncodedImages): Iterable<MicroBatch> {
  const n = images.length / (size * size * 3);
  const step = microBatch === 0 ? n : microBatch;
  for (let start = 0; start < n; start += step) yield { start, count: Math.min(step, n - start) };
}

/** Every pass over a micro-batch drops the same inputs and takes the same local tokens. */
function encode(given: EncodedImages, { start, count }: MicroBatch): tf.Tensor {
  const { encoder, processor, images, size, localTokens, dropout } = given;
  const values = size * size * 3;
  const part = images.subarray(start * values, (start + count) * values);
  const pixels = processor.normalize(tf.tensor4d(part, [count, size, size, 3]));
  if (dropout) dropout.source.state = dropout.masks.fork(start).state;
  if (localTokens) {
    const tokens = encoder.tokens(pixels);
    checkEncoded("tokens", tokens, [count, "1 + local tokens", encoder.featureSize]);
    return someTokens(tokens, localTokens);
  }
  const features = encoder.encodeImage(pixels);
  checkEncoded("features", features, [count, encoder.featureSize]);
  return features;
}

/** An encoder may be anybody's code. */
function checkEncoded(what: string, given: unknown, shape: readonly (number | string)[]): void {
  const valid =
    given instanceof tf.Tensor &&
    given.rank === shape.length &&
    shape.every((size, axis) => typeof size === "string" || size === given.shape[axis]);
  if (valid) return;
  const got = given instanceof tf.Tensor ? `[${given.shape}]` : describe(given);
  throw new Error(`encoder: ${what} must be [${shape.join(", ")}], got ${got}`);
}

/** The feature and a random share of the local tokens, the same positions in every image. */
function someTokens(tokens: tf.Tensor3D, { share, random }: { share: number; random: Random }): tf.Tensor {
  const local = tokens.shape[1] - 1;
  const count = Math.round(share * local);
  const drawn = random.fork("positions").permutation(local).slice(0, count).sort();
  const positions = [0, ...Array.from(drawn, (position) => position + 1)];
  return tf.gather(tokens, tf.tensor1d(positions, "int32"), 1);
}
