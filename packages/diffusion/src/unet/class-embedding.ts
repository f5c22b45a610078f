import { Embedding, Linear } from "@dcr-js/tensor";
import type * as tf from "@tensorflow/tfjs-core";
import { TimestepEmbedding, timestepEmbedding } from "./time-embedding.js";
import type { UNet2DConditionConfig } from "./unet-config.js";

/** The module that diffusers names `class_embedding`; absent for `class_embed_type: "identity"` and for models without classes. */
export type ClassEmbedding = Embedding | TimestepEmbedding | Linear;

/** Makes the class embedding of a configuration. @param timeChannels the width of the time embedding. */
export function createClassEmbedding(
  config: UNet2DConditionConfig,
  timeChannels: number,
): ClassEmbedding | undefined {
  const {
    class_embed_type: type,
    num_class_embeds,
    projection_class_embeddings_input_dim: inputDim,
  } = config;
  switch (type) {
    case "timestep":
      return new TimestepEmbedding(config.block_out_channels[0], timeChannels);
    case "projection":
      return new TimestepEmbedding(inputDim!, timeChannels);
    case "simple_projection":
      return new Linear(inputDim!, timeChannels);
    default:
      return type !== "identity" && num_class_embeds != null
        ? new Embedding(num_class_embeds, timeChannels)
        : undefined;
  }
}

/**
 * The vector of the class labels that is added to the time embedding, or undefined where the model has no classes. Run it
 * inside `tf.tidy`.
 *
 * @param labels `[batch or 1]` of class indices (`num_class_embeds`) or numbers (`"timestep"`); `[batch or 1, dim]` of vectors
 *   (`"identity"`, `"projection"`, `"simple_projection"`)
 * @throws where labels are missing, are not expected, or have the wrong shape
 */
export function embedClass(
  config: UNet2DConditionConfig,
  labels: tf.Tensor | undefined,
  { batch, timeChannels, embedding }: { batch: number; timeChannels: number; embedding?: ClassEmbedding },
): tf.Tensor2D | undefined {
  const { class_embed_type: type, num_class_embeds } = config;
  if (!type && num_class_embeds == null) {
    if (labels) throw new Error("UNet2DConditionModel: classLabels were given, but the model has no classes");
    return undefined;
  }
  if (!labels) {
    const setting = type ? `class_embed_type is "${type}"` : `num_class_embeds is ${num_class_embeds}`;
    throw new Error(`UNet2DConditionModel: classLabels are missing; ${setting}`);
  }
  const vectors =
    type === "timestep" || !type
      ? undefined
      : type === "identity"
        ? timeChannels
        : config.projection_class_embeddings_input_dim!;
  const [rows, ...rest] = labels.shape;
  if ((rows !== batch && rows !== 1) || String(rest) !== String(vectors ?? "")) {
    throw new Error(
      `UNet2DConditionModel: classLabels must be [${batch} or 1${vectors ? `, ${vectors}` : ""}], got [${labels.shape}]`,
    );
  }
  if (type === "identity") return labels as tf.Tensor2D;
  if (type === "timestep") {
    const sinusoids = timestepEmbedding(labels as tf.Tensor1D, config.block_out_channels[0], {
      flipSinToCos: config.flip_sin_to_cos,
      freqShift: config.freq_shift,
    });
    return (embedding as TimestepEmbedding).forward(sinusoids);
  }
  if (!type && labels.dtype !== "int32") {
    throw new Error(`UNet2DConditionModel: classLabels must be int32, got ${labels.dtype}`);
  }
  return (embedding as Linear).forward(labels) as tf.Tensor2D;
}
