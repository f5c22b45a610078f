import * as tf from "@tensorflow/tfjs-core";
import type { StableDiffusion } from "./stable-diffusion/stable-diffusion.js";
import { gatherPrefix, type UNetPrefix } from "./unet/unet-2d-condition-model.js";

/** The exact savings: the same numbers with less work. Each can be switched off. */
export interface Savings {
  /** Rows of predictions that a gradient holds at once; 0 holds all. Default 32. */
  chunk?: number;
  /** Compute what precedes the first cross-attention once for each image, not for each pair. Default true. */
  sharedPrefix?: boolean;
  /** Add `W_o W_v h` instead of attending to `u + h`. Default true. */
  additive?: boolean;
}

/** A frozen denoiser, what it is conditioned on, and how it is run. */
export interface Denoiser {
  unet: StableDiffusion["unet"];
  /** `u`: the text encoder's last hidden state for the empty prompt, `[1, tokens, c]`. */
  emptyPrompt: tf.Tensor3D;
  savings: Required<Savings>;
}

/** Freezes Stable Diffusion's denoiser and encodes the empty prompt. The caller disposes `emptyPrompt`. */
export function createDenoiser(
  { unet, textEncoder, tokenizer }: Pick<StableDiffusion, "unet" | "textEncoder" | "tokenizer">,
  savings: Savings = {},
): Denoiser {
  const { chunk = 32, sharedPrefix = true, additive = true } = savings;
  if (!Number.isInteger(chunk) || chunk < 0) {
    throw new Error(`createDenoiser: savings.chunk must be an integer, 0 or more, got ${chunk}`);
  }
  unet.requiresGrad(false);
  const emptyPrompt = tf.tidy(() => textEncoder.forward(tokenizer.encode([""])).lastHiddenState);
  return { unet, emptyPrompt, savings: { chunk, sharedPrefix, additive } };
}

/** Noisy latents of a batch and what the denoiser should predict for them. */
export interface NoisyBatch {
  /** `x_t`, `[N, h, w, channels]`. */
  noisy: tf.Tensor4D;
  timesteps: Int32Array;
  /** `G`, `[N, h, w, channels]`. */
  target: tf.Tensor4D;
}

/** Pairs of an image (a row of the batch) and a condition (a row of the conditions). */
export interface Pairs {
  images: Int32Array;
  conditions: Int32Array;
}

/** The denoiser on one batch, ready to predict any pairs of its images and conditions. */
export interface Predictor {
  /** @param conditions `h(z)`, `[M, c]`. @returns `[pairs, h, w, channels]`; differentiable in `conditions`. */
  predict(pairs: Pairs, conditions: tf.Tensor2D): tf.Tensor4D;
  dispose(): void;
}

/** Prepares the predictions `unet(x_t,i, t_i, u + h_k)` of a batch. The caller disposes the predictor. */
export function createPredictor({ unet, emptyPrompt, savings }: Denoiser, batch: NoisyBatch): Predictor {
  const all = tf.tensor1d(batch.timesteps, "int32");
  const prefix = savings.sharedPrefix ? unet.prefix(batch.noisy, all) : undefined;
  const rows = (pairs: Pairs): UNetPrefix => {
    const images = tf.tensor1d(pairs.images, "int32");
    if (prefix) return gatherPrefix(prefix, images);
    return unet.prefix(tf.gather(batch.noisy, images), tf.gather(all, images));
  };
  return {
    predict: (pairs, conditions) =>
      tf.tidy(() => {
        const h = tf.gather(conditions, tf.tensor1d(pairs.conditions, "int32"));
        const condition = savings.additive
          ? { encoderHiddenStates: emptyPrompt, additive: h }
          : { encoderHiddenStates: tf.add(emptyPrompt, tf.expandDims(h, 1)) as tf.Tensor3D };
        return unet.suffix(rows(pairs), condition);
      }),
    dispose: () => {
      all.dispose();
      if (prefix) tf.dispose(prefix as unknown as tf.TensorContainer);
    },
  };
}
