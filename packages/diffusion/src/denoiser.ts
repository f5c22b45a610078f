import * as tf from "@tensorflow/tfjs-core";
import { checkNumber, checkOptions, describe } from "./shared/check-options.js";
import { encodePrompt, type TextSide } from "./stable-diffusion/encode-prompt.js";
import type { StableDiffusion } from "./stable-diffusion/stable-diffusion.js";
import type { AddedConditions } from "./unet/added-conditions.js";
import type { Condition } from "./unet/attention.js";
import { gatherPrefix, type UNetPrefix } from "./unet/unet-2d-condition-model.js";

/** Says to a trainer how it can use a denoiser. */
export interface DenoiserCapabilities {
  /** A condition that is one vector costs no attention of its own: its share is added after the attention. */
  additiveConditions: boolean;
  /** The denoiser computes once for all conditions whatever depends only on the noisy image and the timestep. */
  sharedPrefix: boolean;
  /** A condition may be several vectors, `[rows, tokens, conditionSize]`. */
  tokenConditions: boolean;
}

/** A noisy batch that a denoiser has prepared. Whoever prepared it disposes it. */
export interface PreparedBatch {
  dispose(): void;
}

/**
 * A frozen diffusion model that predicts from a noisy image and a condition. The trainer knows nothing else about it, so a
 * UNet, a DiT or a user's own model can stand behind it.
 *
 * @example
 * const prepared = denoiser.prepare(noisy, timesteps); // noisy [2, h, w, 4]
 * // Image 0 with two conditions, image 1 with one; conditions [3, conditionSize].
 * const predictions = denoiser.predict(prepared, Int32Array.of(0, 0, 1), conditions); // [3, h, w, 4]
 * prepared.dispose();
 */
export interface Denoiser {
  /** Width `c` of a condition. */
  readonly conditionSize: number;
  /** Channels of the latents that it takes and of its predictions. */
  readonly latentChannels: number;
  readonly capabilities: DenoiserCapabilities;
  /**
   * Computes whatever depends only on the noisy batch.
   *
   * @param noisy `x_t`, `[N, h, w, latentChannels]`; it must live as long as the result
   * @param timesteps one for each image, at least 0
   * @returns what `predict` needs; the caller disposes it
   */
  prepare(noisy: tf.Tensor4D, timesteps: Int32Array): PreparedBatch;
  /**
   * One prediction for each row: of the image that the row names, under the row's condition.
   *
   * @param prepared from `prepare`
   * @param rows the number of the image, in `0..N-1`, for each prediction; images may repeat
   * @param conditions `[rows, conditionSize]`, or `[rows, tokens, conditionSize]` with at least one token where `capabilities.tokenConditions` says so
   * @returns `[rows, h, w, latentChannels]`, differentiable in `conditions`; the caller disposes it
   */
  predict(prepared: PreparedBatch, rows: Int32Array, conditions: tf.Tensor): tf.Tensor4D;
  /** Trades time for memory when gradients are computed, where the model can. */
  enableGradientCheckpointing?(flag: boolean): void;
  /** Frees what the denoiser made for itself; the diffusion model stays its owner's. */
  dispose(): void;
}

/** Two exact ways to spare work. Both give the same numbers as the plain way, up to float32's rounding. */
export interface DenoiserOptions {
  /** Compute what precedes the first cross-attention once for each image, not for each prediction. Default true. */
  sharedPrefix?: boolean;
  /** Add `W_o W_v h` after the attention instead of attending to `u + h`. Default true. */
  additive?: boolean;
}

interface PreparedUNetBatch extends PreparedBatch {
  /** How many images were prepared. */
  images: number;
  /** The UNet's state before the first cross-attention, for the images that `rows` names. */
  prefixOf(rows: tf.Tensor1D): UNetPrefix;
}

/** The parts of a model that a denoiser is made of; a Stable Diffusion XL model needs all of them. */
export type DenoiserParts = Pick<StableDiffusion, "unet"> & TextSide & Partial<Pick<StableDiffusion, "vae">>;

/**
 * The denoiser of Stable Diffusion 1, 2 or XL, with conditions `e = u + h` (Han et al. 2026, section 3.2): `u` is the hidden state
 * of the empty prompt, `[1, tokens, c]`, and `h` is added to each of its tokens. A condition of several vectors
 * `[rows, tokens, c]` adds the first one to each token of `u` and appends the others as tokens of their own.
 *
 * For Stable Diffusion XL, `u` has the states of both text encoders side by side (`c` is 2048), so `h` reaches both halves. The
 * added conditions do not depend on `h`: the pooled embedding is the empty prompt's, and the time ids say that the image has its own
 * size and was not cropped, `[height, width, 0, 0, height, width]` in pixels, as diffusers' pipeline says by default. The empty
 * prompt is encoded, as a prompt is; the zeros of `force_zeros_for_empty_prompt` belong to classifier-free guidance.
 *
 * Freezes the UNet and encodes the empty prompt; the text encoders are not needed afterwards.
 *
 * @param parts for Stable Diffusion XL with `tokenizer2`, `textEncoder2`, and the `vae`, which says how many pixels a latent has
 * @throws when text encoders and UNet do not fit together, and on unknown options
 */
export function createDenoiser(parts: DenoiserParts, options?: DenoiserOptions): Denoiser {
  const { unet, vae } = parts;
  const known = checkOptions("createDenoiser", options, {
    sharedPrefix: "boolean",
    additive: "boolean",
  });
  if (unet.add_embedding && !(parts.textEncoder2 && parts.tokenizer2 && vae)) {
    throw new Error(
      "createDenoiser: this UNet takes added conditions (Stable Diffusion XL), so textEncoder2, tokenizer2 and vae are needed too",
    );
  }
  const { encoderHiddenStates, textEmbeds } = encodePrompt(parts, [""]);
  const added = textEmbeds && vae ? { textEmbeds, vaeFactor: vae.factor } : undefined;
  try {
    return unetDenoiser("createDenoiser", unet, { ...known, added, emptyPrompt: encoderHiddenStates });
  } catch (error) {
    tf.dispose([encoderHiddenStates, textEmbeds ?? []] as tf.TensorContainer);
    throw error;
  }
}

/** How {@link createUNetDenoiser} makes a denoiser. */
export interface UNetDenoiserOptions extends DenoiserOptions {
  /** For a UNet with added conditions (Stable Diffusion XL). */
  added?: {
    /** The empty prompt's pooled embedding, `[1, dim]`; the denoiser takes it over and disposes it. */
    textEmbeds: tf.Tensor2D;
    /** Pixels along a side of a latent. */
    vaeFactor: number;
  };
}

/**
 * {@link createDenoiser} for a UNet and the empty prompt's hidden state, where they do not come from one folder.
 *
 * @param emptyPrompt `u`, `[1, tokens, c]`; the denoiser takes it over and disposes it
 */
export function createUNetDenoiser(
  unet: StableDiffusion["unet"],
  emptyPrompt: tf.Tensor3D,
  options?: UNetDenoiserOptions,
): Denoiser {
  const caller = "createUNetDenoiser";
  const known = checkOptions(caller, options, { sharedPrefix: "boolean", additive: "boolean", added: true });
  return unetDenoiser(caller, unet, { ...known, emptyPrompt });
}

function unetDenoiser(
  caller: string,
  unet: StableDiffusion["unet"],
  {
    emptyPrompt,
    sharedPrefix = true,
    additive = true,
    added,
  }: UNetDenoiserOptions & { emptyPrompt: tf.Tensor3D },
): Denoiser {
  const { cross_attention_dim: conditionSize, in_channels: latentChannels, out_channels } = unet.config;
  if (emptyPrompt.rank !== 3 || emptyPrompt.shape[0] !== 1 || emptyPrompt.shape[2] !== conditionSize) {
    throw new Error(
      `${caller}: the empty prompt must be [1, tokens, ${conditionSize}] for this UNet, got [${emptyPrompt.shape}]`,
    );
  }
  checkAdded(caller, unet, added);
  if (unet.config.class_embed_type || unet.config.num_class_embeds != null) {
    throw new Error(
      `${caller}: the UNet must not need a class of each image (num_class_embeds, class_embed_type)`,
    );
  }
  if (out_channels !== latentChannels) {
    throw new Error(
      `${caller}: the UNet must predict as many channels as it takes, got ${latentChannels} in and ${out_channels} out`,
    );
  }
  unet.requiresGrad(false);

  const conditionOf = (conditions: tf.Tensor): Condition => {
    if (conditions.rank === 2) {
      if (additive) return { encoderHiddenStates: emptyPrompt, additive: conditions as tf.Tensor2D };
      return { encoderHiddenStates: tf.add(emptyPrompt, tf.expandDims(conditions, 1)) as tf.Tensor3D };
    }
    const [rows, tokens] = conditions.shape;
    if (tokens === 1) return conditionOf(tf.reshape(conditions, [rows, conditionSize]));
    const [first, others] = tf.split(conditions, [1, tokens - 1], 1);
    const states = tf.concat([tf.add(emptyPrompt, first), others], 1);
    return { encoderHiddenStates: tf.reshape(states, [rows, -1, conditionSize]) };
  };

  return {
    conditionSize,
    latentChannels,
    capabilities: { additiveConditions: additive, sharedPrefix, tokenConditions: true },
    prepare: (noisy, timesteps): PreparedUNetBatch => {
      checkNoisy(noisy, timesteps, latentChannels);
      const steps = tf.tensor1d(timesteps, "int32");
      const addedConditions = added && addedFor(noisy, added);
      const own = [steps, addedConditions?.timeIds ?? []] as tf.TensorContainer;
      let prefix: UNetPrefix | undefined;
      try {
        if (sharedPrefix) prefix = unet.prefix(noisy, steps, { addedConditions });
      } catch (error) {
        tf.dispose(own);
        throw error;
      }
      return {
        images: noisy.shape[0],
        prefixOf: (rows) =>
          prefix
            ? gatherPrefix(prefix, rows)
            : unet.prefix(tf.gather(noisy, rows), tf.gather(steps, rows) as tf.Tensor1D, { addedConditions }),
        dispose: () => tf.dispose([own, prefix ?? []] as tf.TensorContainer),
      };
    },
    predict: (prepared, rows, conditions) => {
      const { images, prefixOf } = prepared as PreparedUNetBatch;
      checkRows(rows, images);
      const { rank, shape } = conditions;
      const tokens = rank === 3 ? shape[1]! : 1;
      const fits =
        (rank === 2 || rank === 3) && shape[0] === rows.length && shape[rank - 1] === conditionSize;
      if (!fits || tokens < 1) {
        throw new Error(
          `Denoiser.predict: conditions must be [${rows.length}, ${conditionSize}] or [${rows.length}, tokens, ${conditionSize}], ` +
            `got [${shape}]`,
        );
      }
      return tf.tidy(() => unet.suffix(prefixOf(tf.tensor1d(rows, "int32")), conditionOf(conditions)));
    },
    enableGradientCheckpointing: (flag) => {
      unet.enableGradientCheckpointing(flag);
    },
    dispose: () => tf.dispose([emptyPrompt, added?.textEmbeds ?? []] as tf.TensorContainer),
  };
}

/** The empty prompt's added conditions for latents of a size. The caller disposes `timeIds` only. */
function addedFor(
  { shape: [, height, width] }: tf.Tensor4D,
  { textEmbeds, vaeFactor }: NonNullable<UNetDenoiserOptions["added"]>,
): AddedConditions {
  const size = [vaeFactor * height, vaeFactor * width];
  return { textEmbeds, timeIds: tf.tensor2d([[...size, 0, 0, ...size]], undefined, "int32") };
}

/** Original size, corner of the crop, and target size, each of two numbers. */
const TIME_IDS = 6;

function checkAdded(
  caller: string,
  { config, add_embedding }: StableDiffusion["unet"],
  added: UNetDenoiserOptions["added"],
): void {
  if (!add_embedding !== !added) {
    const has = add_embedding ? `"${config.addition_embed_type}"` : "null";
    throw new Error(
      `${caller}: the UNet's addition_embed_type is ${has}, and added conditions were ${added ? "" : "not "}given`,
    );
  }
  if (!added) return;
  const expected = config.projection_class_embeddings_input_dim! - TIME_IDS * config.addition_time_embed_dim!;
  const { rank, shape } = added.textEmbeds;
  if (rank !== 2 || shape[0] !== 1 || shape[1] !== expected) {
    throw new Error(`${caller}: textEmbeds must be [1, ${expected}] for this UNet, got [${shape}]`);
  }
  checkNumber(`${caller}: vaeFactor`, added.vaeFactor, { min: 1, integer: true });
}

function checkNoisy(noisy: tf.Tensor4D, timesteps: Int32Array, channels: number): void {
  if (!(noisy instanceof tf.Tensor) || noisy.rank !== 4 || noisy.shape[3] !== channels) {
    const got = (noisy as unknown) instanceof tf.Tensor ? `[${noisy.shape}]` : describe(noisy);
    throw new Error(`Denoiser.prepare: noisy must be [N, h, w, ${channels}], got ${got}`);
  }
  if (!(timesteps instanceof Int32Array) || timesteps.length !== noisy.shape[0]) {
    const got = (timesteps as unknown) instanceof Int32Array ? `${timesteps.length}` : describe(timesteps);
    throw new Error(
      `Denoiser.prepare: timesteps must be an Int32Array of ${noisy.shape[0]}, one for each image, got ${got}`,
    );
  }
  const negative = timesteps.find((timestep) => timestep < 0);
  if (negative !== undefined) {
    throw new Error(`Denoiser.prepare: timesteps must be at least 0, got ${negative}`);
  }
}

// A gather outside its range reads zeros or another tensor's memory on some backends.
function checkRows(rows: Int32Array, images: number): void {
  if (!(rows instanceof Int32Array) || rows.length === 0) {
    throw new Error(`Denoiser.predict: rows must be an Int32Array, not empty, got ${describe(rows)}`);
  }
  const outside = rows.find((row) => row < 0 || row >= images);
  if (outside !== undefined) {
    throw new Error(`Denoiser.predict: rows must name images in 0..${images - 1}, got ${outside}`);
  }
}
