import {
  type ConfigOptions,
  Conv2d,
  Module,
  type PretrainedOptions,
  type SavePretrainedOptions,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import {
  createDiffusersModel,
  loadDiffusersModel,
  type ModelClass,
  saveDiffusersModel,
} from "../model-folder.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { Decoder, Encoder } from "./encoder-decoder.js";
import { type AutoencoderKLConfig, type AutoencoderKLConfigInput, parseVaeConfig } from "./vae-config.js";

/** A diagonal Gaussian over latents, before scaling. */
export type LatentDistribution = {
  /** `[batch, h, w, latent_channels]`. */
  mean: tf.Tensor4D;
  /** Log of the variance, clamped to [-30, 20]. */
  logvar: tf.Tensor4D;
};

/**
 * A sample of the posterior, `mean + exp(logvar / 2) * noise`; not yet times `scaling_factor`.
 *
 * @param noise shaped as the mean. @returns the same shape; the caller disposes it.
 * @throws where the shapes differ
 */
export function sampleLatents({ mean, logvar }: LatentDistribution, noise: tf.Tensor4D): tf.Tensor4D {
  for (const { shape } of [logvar, noise]) {
    if (tf.util.arraysEqual(mean.shape, shape)) continue;
    throw new Error(
      `sampleLatents: mean, logvar and noise must have one shape, got [${mean.shape}], [${logvar.shape}] and [${noise.shape}]`,
    );
  }
  return tf.tidy(() => tf.add(mean, tf.mul(tf.exp(tf.mul(logvar, 0.5)), noise)));
}

/** How many images or latents are computed at once. */
export interface SliceOptions {
  /**
   * Rows of the batch at once: memory does not grow with the batch. Default as many as have 512 x 512 pixels together, at least
   * one. While gradients are recorded, everything is kept all the same.
   */
  slice?: number;
}

const PIXELS_AT_ONCE = 512 * 512;

/** Stable Diffusion's variational auto-encoder, with diffusers' configuration and weight names. Images are NHWC. */
export class AutoencoderKL extends Module {
  readonly config: AutoencoderKLConfig;
  readonly encoder: Encoder;
  readonly decoder: Decoder;
  readonly quant_conv?: Conv2d;
  readonly post_quant_conv?: Conv2d;

  /**
   * @param options `acceptKeys`: unknown keys of the configuration that may be ignored, by name
   * @throws naming every key of the configuration that is unknown, unsupported or out of range
   */
  constructor(config: AutoencoderKLConfigInput, options: ConfigOptions = {}) {
    super();
    this.config = parseVaeConfig(config, options);
    const { latent_channels: channels, use_quant_conv, use_post_quant_conv } = this.config;
    this.encoder = new Encoder(this.config);
    this.decoder = new Decoder(this.config);
    if (use_quant_conv) this.quant_conv = new Conv2d(2 * channels, 2 * channels, 1);
    if (use_post_quant_conv) this.post_quant_conv = new Conv2d(channels, channels, 1);
  }

  /**
   * The model of a diffusers folder's `vae` without its weights, which says how large it is. Only `config.json` is read.
   *
   * @param options `acceptKeys`: unknown keys of the configuration that may be ignored, by name
   */
  static async fromConfig(
    folder: string,
    options: Pick<PretrainedOptions, "acceptKeys"> = {},
  ): Promise<AutoencoderKL> {
    const caller = "AutoencoderKL.fromConfig";
    return createDiffusersModel(folder, form, {
      caller,
      ...checkOptions(caller, options, { acceptKeys: true }),
    });
  }

  /**
   * Reads `config.json` and `diffusion_pytorch_model.safetensors` of a diffusers folder's `vae`.
   *
   * @param options `storage`: `"float16"` for frozen weights in half the memory; `variant`: `"fp16"` for files of that variant; `acceptKeys`: unknown keys of the configuration
   *   that may be ignored, by name
   */
  static fromPretrained(folder: string, options: PretrainedOptions = {}): Promise<AutoencoderKL> {
    return loadDiffusersModel(folder, form, options);
  }

  /**
   * Writes the folder that `fromPretrained`, and diffusers, read.
   * @throws while LoRA adapters are in place; nothing is written then
   */
  async savePretrained(folder: string, options?: SavePretrainedOptions): Promise<void> {
    await saveDiffusersModel(this, folder, { ...form, options });
  }

  /** Pixels per latent, in each direction. */
  get factor(): number {
    return 2 ** (this.config.block_out_channels.length - 1);
  }

  /**
   * @param x `[batch, height, width, in_channels]` in [-1, 1]; height and width at least `factor`.
   * @param options `slice`: how many images at once.
   * @returns the posterior, `[batch, floor(height / factor), floor(width / factor), latent_channels]`; the caller disposes both
   *   tensors. Where `factor` does not divide the image, decoded latents are smaller than it.
   */
  encode(x: tf.Tensor4D, options: SliceOptions = {}): LatentDistribution {
    const { factor } = this;
    const [, height, width, channels] = x.shape;
    if (
      x.rank !== 4 ||
      x.size === 0 ||
      channels !== this.config.in_channels ||
      height < factor ||
      width < factor
    ) {
      throw new Error(
        `AutoencoderKL.encode: x must be [batch, at least ${factor}, at least ${factor}, ${this.config.in_channels}], got [${x.shape}]`,
      );
    }
    return tf.tidy(() => {
      const moments = inSlices("AutoencoderKL.encode", options, {
        x,
        pixels: height * width,
        compute: (rows) => {
          const encoded = this.encoder.forward(rows);
          return this.quant_conv ? this.quant_conv.forward(encoded) : encoded;
        },
      });
      const [mean, logvar] = tf.split(moments, 2, 3);
      return { mean, logvar: tf.clipByValue(logvar, -30, 20) };
    }) as unknown as LatentDistribution;
  }

  /**
   * @param z `[batch, h, w, latent_channels]`, divided by `scaling_factor` again.
   * @returns pixels, about [-1, 1]: `[batch, factor * h, factor * w, out_channels]`; the caller disposes them.
   */
  decode(z: tf.Tensor4D, options: SliceOptions = {}): tf.Tensor4D {
    if (z.rank !== 4 || z.size === 0 || z.shape[3] !== this.config.latent_channels) {
      throw new Error(
        `AutoencoderKL.decode: z must be [batch, h, w, ${this.config.latent_channels}], got [${z.shape}]`,
      );
    }
    return tf.tidy(() =>
      inSlices("AutoencoderKL.decode", options, {
        x: z,
        pixels: z.shape[1] * z.shape[2] * this.factor ** 2,
        compute: (rows) =>
          this.decoder.forward(this.post_quant_conv ? this.post_quant_conv.forward(rows) : rows),
      }),
    );
  }
}

/** Computes a few rows of the batch at a time. Run it inside `tf.tidy`. */
function inSlices(
  caller: string,
  options: SliceOptions,
  work: { x: tf.Tensor4D; pixels: number; compute: (rows: tf.Tensor4D) => tf.Tensor4D },
): tf.Tensor4D {
  const { slice = Math.max(1, Math.floor(PIXELS_AT_ONCE / work.pixels)) } = checkOptions(caller, options, {
    slice: true,
  });
  checkNumber(`${caller}: slice`, slice, { min: 1, integer: true });
  const batch = work.x.shape[0];
  const parts: tf.Tensor4D[] = [];
  for (let start = 0; start < batch; start += slice) {
    const size = Math.min(slice, batch - start);
    parts.push(tf.tidy(() => work.compute(size === batch ? work.x : tf.slice(work.x, start, size))));
  }
  return parts.length === 1 ? parts[0] : tf.concat(parts, 0);
}

/** Checkpoints from before diffusers 0.18 have other names for the attention's maps. */
function todaysName(weight: string): string {
  const names: Record<string, string> = { query: "to_q", key: "to_k", value: "to_v", proj_attn: "to_out.0" };
  return weight.replace(
    /(attentions\.\d+)\.(query|key|value|proj_attn)\./,
    (_, at, old) => `${at}.${names[old]}.`,
  );
}

const form: ModelClass<AutoencoderKL> = {
  name: "AutoencoderKL",
  create: (config, options) => new AutoencoderKL(config, options),
  rename: todaysName,
};
