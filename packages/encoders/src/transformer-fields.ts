import {
  imageSide,
  layerCount,
  tokenCount,
  tokenId,
  valueOrEqualList,
  vocabularySize,
  width,
} from "@dcr-js/tensor";
import { z } from "zod";

/** Settings that every tower has: a stack of pre-norm transformer layers. */
export const transformerFields = {
  hidden_size: width,
  intermediate_size: width,
  num_hidden_layers: layerCount,
  num_attention_heads: layerCount,
  hidden_act: z.enum(["quick_gelu", "gelu", "gelu_new", "gelu_pytorch_tanh"]),
  layer_norm_eps: z.number().positive().max(1),
  /** Of the attention's probabilities in training, which is refused where it is not 0. */
  attention_dropout: z.number().min(0).lt(1),
};

/** Settings of a tower's input of tokens. */
export const textFields = {
  vocab_size: vocabularySize,
  max_position_embeddings: tokenCount,
  eos_token_id: tokenId,
};

/** Settings of a tower's input of pixels. */
export const visionFields = {
  num_channels: z.int().min(1).max(64),
  image_size: valueOrEqualList(imageSide),
  patch_size: valueOrEqualList(imageSide),
};

/** A rule for `refine`: an image has at least one patch. */
export const atLeastOnePatch = [
  ({ image_size, patch_size }: { image_size: number; patch_size: number }) => image_size >= patch_size,
  {
    error: ({ input }: { input?: unknown }) => {
      const { image_size, patch_size } = input as { image_size: number; patch_size: number };
      return `image_size must be at least patch_size, got ${image_size} and ${patch_size}`;
    },
  },
] as const;

/** A number that multiplies the logits, or its logarithm. */
export const anyNumber = z.number().min(-1e4).max(1e4);
