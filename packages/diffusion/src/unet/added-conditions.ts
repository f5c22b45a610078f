import * as tf from "@tensorflow/tfjs-core";
import { checkOptions } from "../shared/check-options.js";
import { type TimestepEmbedding, timestepEmbedding } from "./time-embedding.js";
import type { UNet2DConditionConfig } from "./unet-config.js";

/** SDXL's conditions besides the text's hidden states (Podell et al. 2023, section 2.2). */
export interface AddedConditions {
  /** The second text encoder's projected output, `[batch or 1, dim]`. */
  textEmbeds: tf.Tensor2D;
  /** Original height and width, top and left of the crop, target height and width: `[batch or 1, 6]`. */
  timeIds: tf.Tensor2D;
}

/**
 * The vector of the added conditions that is added to the time embedding, or undefined where the model takes none. Run it
 * inside `tf.tidy`.
 *
 * @throws where conditions are missing, are not expected, or have the wrong shape
 */
export function embedAddedConditions(
  config: UNet2DConditionConfig,
  conditions: AddedConditions | undefined,
  { batch, embedding }: { batch: number; embedding?: TimestepEmbedding },
): tf.Tensor2D | undefined {
  if (!embedding) {
    if (!conditions) return undefined;
    throw new Error("UNet2DConditionModel: addedConditions were given, but addition_embed_type is null");
  }
  if (!conditions?.textEmbeds || !conditions.timeIds) {
    throw new Error(
      `UNet2DConditionModel: addedConditions { textEmbeds, timeIds } are missing; addition_embed_type is "${config.addition_embed_type}"`,
    );
  }
  const { textEmbeds, timeIds } = checkOptions("UNet2DConditionModel: addedConditions", conditions, {
    textEmbeds: true,
    timeIds: true,
  });
  const dim = config.addition_time_embed_dim!;
  const inputDim = config.projection_class_embeddings_input_dim!;
  for (const [name, { rank, shape }] of Object.entries({ textEmbeds, timeIds })) {
    if (rank !== 2 || (shape[0] !== batch && shape[0] !== 1)) {
      throw new Error(`UNet2DConditionModel: ${name} must be [${batch} or 1, dim], got [${shape}]`);
    }
  }
  const [textDim, ids] = [textEmbeds.shape[1], timeIds.shape[1]];
  if (textDim + ids * dim !== inputDim) {
    throw new Error(
      `UNet2DConditionModel: the width of textEmbeds plus ${dim} for each of timeIds must be ${inputDim}, got ${textDim} and ${ids}`,
    );
  }
  const rows = Math.max(textEmbeds.shape[0], timeIds.shape[0]);
  const repeat = (x: tf.Tensor2D) => (x.shape[0] === rows ? x : tf.tile(x, [rows, 1]));
  const sinusoids = timestepEmbedding(tf.reshape(timeIds, [-1]) as tf.Tensor1D, dim, {
    flipSinToCos: config.flip_sin_to_cos,
    freqShift: config.freq_shift,
  });
  const times = tf.reshape(sinusoids, [timeIds.shape[0], ids * dim]) as tf.Tensor2D;
  return embedding.forward(tf.concat([repeat(textEmbeds), repeat(times)], 1) as tf.Tensor2D);
}
