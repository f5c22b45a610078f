import type { CLIPTextModel, CLIPTextModelWithProjection } from "@dcr-js/encoders";
import * as tf from "@tensorflow/tfjs-core";
import type { StableDiffusion, StableDiffusionXL } from "./stable-diffusion.js";

/** The text condition of prompts; the caller disposes the tensors. */
export interface PromptCondition {
  /** `[prompts, tokens, cross_attention_dim]`. */
  encoderHiddenStates: tf.Tensor3D;
  /** Stable Diffusion XL's pooled condition, `[prompts, dim]`: one of the UNet's `addedConditions`. */
  textEmbeds?: tf.Tensor2D;
}

/** The text side of a model: for XL with the second encoder. */
export type TextSide = Pick<StableDiffusion, "tokenizer" | "textEncoder"> &
  Partial<Pick<StableDiffusionXL, "tokenizer2" | "textEncoder2">>;

/**
 * Encodes prompts as diffusers' pipelines do, padded to the tokenizer's length: the last hidden state of the text encoder; for
 * Stable Diffusion XL the last but one of both encoders side by side, and the projected output of the second (Podell et al. 2023,
 * section 2.1).
 *
 * @throws where one of tokenizer2 and textEncoder2 is there without the other, and where there is no prompt
 */
export function encodePrompt(model: TextSide, prompts: readonly string[]): PromptCondition {
  const { tokenizer, textEncoder, tokenizer2, textEncoder2 } = model;
  if (!Array.isArray(prompts) || prompts.length === 0) {
    throw new Error("encodePrompt: prompts must be a list of at least one text");
  }
  if (!tokenizer2 !== !textEncoder2) {
    throw new Error("encodePrompt: tokenizer2 and textEncoder2 are needed together");
  }
  return tf.tidy(() => {
    const ids = tokenizer.encode([...prompts]);
    if (!tokenizer2 || !textEncoder2)
      return { encoderHiddenStates: textEncoder.forward(ids).lastHiddenState };
    const ids2 = tokenizer2.encode([...prompts]);
    const states = [lastButOne(textEncoder, ids), lastButOne(textEncoder2, ids2)];
    return {
      encoderHiddenStates: tf.concat(states, 2),
      textEmbeds: textEncoder2.encodeText(ids2),
    };
  }) as PromptCondition;
}

/** The hidden state before the last layer, without the final norm. */
function lastButOne(
  { text_model }: CLIPTextModel | CLIPTextModelWithProjection,
  ids: tf.Tensor2D,
): tf.Tensor3D {
  const layers = text_model.encoder.layers.slice(0, -1);
  return tf.tidy(() =>
    layers.reduce((x, layer) => layer.forward(x, true), text_model.embeddings.forward(ids)),
  );
}
