import type { AutoencoderKL, LatentDistribution } from "@dcr-js/diffusion";
import * as tf from "@tensorflow/tfjs-core";
import { toHex } from "../image-cache/hash-images.js";
import { createImageCache } from "../image-cache/image-cache.js";
import { createRowFolder, type StoredPrecision } from "../image-cache/row-folder.js";
import { rowsOfTensor, tensorOfRows } from "../image-cache/rows-of-tensor.js";
import { checkChoice, checkFunction, checkNumber, checkOptions, describe } from "../shared/check-options.js";

/** Gives the latents that the diffusion model denoises. */
export interface LatentEncoder {
  /** Channels of the latents. */
  readonly latentChannels: number;
  /** The factor that samples of the posterior are multiplied by before noise is added. */
  readonly scalingFactor: number;
  /**
   * The posterior of each image's latents: a function of the image only.
   *
   * @param images `n * size * size * 3` values in [0, 1], row by row, channels last @param size width and height, in pixels
   * @returns mean and log-variance, `[n, h, w, latentChannels]`, before scaling; the caller disposes both
   */
  encode(images: Float32Array, size: number): Promise<LatentDistribution>;
  /** Frees what the encoder made for itself; the model stays its owner's. */
  dispose(): void;
}

export interface LatentEncoderOptions {
  /** Images that go through the VAE at once; bounds its memory. Default 1. */
  microBatch?: number;
  /** Host memory for the moments of images that come again, in bytes; 0 keeps none. Default 256 MiB. */
  cacheBytes?: number;
  /**
   * A folder for the moments of images, by the content of the image and of the VAE's settings and weights; processes may share it. It helps where the
   * same crops come again, in a later run too. Node only. Default none.
   */
  cacheFolder?: string;
  /**
   * Bytes of files in the folder; the least recently used make room. Each process that shares the folder may exceed it by a tenth for a
   * while. Needs `cacheFolder`. Default 8 GiB.
   */
  cacheFolderBytes?: number;
  /**
   * How the folder's files hold moments. In `"float16"` they are rounded to 11 bits, a relative 5e-4, and so are the moments that a
   * step sees, whether they come from the folder or were just computed. Needs `cacheFolder`. Default `"float16"`.
   */
  cachePrecision?: StoredPrecision;
}

/** A {@link LatentEncoder} of a Stable Diffusion model's VAE, which it freezes. Images are scaled from [0, 1] to [-1, 1]. */
export function createLatentEncoder(vae: AutoencoderKL, options?: LatentEncoderOptions): LatentEncoder {
  checkFunction("createLatentEncoder: vae.encode", vae?.encode);
  const {
    microBatch = 1,
    cacheBytes = 2 ** 28,
    cacheFolder,
    cacheFolderBytes = 2 ** 33,
    cachePrecision = "float16",
  } = checkOptions("createLatentEncoder", options, {
    microBatch: true,
    cacheBytes: true,
    cacheFolder: true,
    cacheFolderBytes: true,
    cachePrecision: true,
  });
  checkNumber("createLatentEncoder: microBatch", microBatch, { integer: true, min: 1 });
  checkNumber("createLatentEncoder: cacheBytes", cacheBytes, { integer: true, min: 0 });
  checkNumber("createLatentEncoder: cacheFolderBytes", cacheFolderBytes, { integer: true, min: 1 });
  checkChoice("createLatentEncoder: cachePrecision", cachePrecision, ["float16", "float32"]);
  if (cacheFolder !== undefined && (typeof cacheFolder !== "string" || cacheFolder === "")) {
    throw new TypeError(
      `createLatentEncoder: cacheFolder must be the path of a folder, got ${describe(cacheFolder)}`,
    );
  }
  const ofFolder = { cacheFolderBytes: options?.cacheFolderBytes, cachePrecision: options?.cachePrecision };
  const useless = Object.entries(ofFolder).find(([, value]) => value !== undefined);
  if (cacheFolder === undefined && useless) {
    throw new Error(`createLatentEncoder: ${useless[0]} applies to a cacheFolder only, and none is given`);
  }
  vae.requiresGrad(false);
  const openFolder =
    cacheFolder === undefined
      ? undefined
      : async () =>
          createRowFolder({
            // Moments of other weights or settings, or of another precision, are other moments.
            folder: `${cacheFolder}/${await modelHash(vae)}-${cachePrecision}`,
            maxBytes: cacheFolderBytes,
            precision: cachePrecision,
          });
  // Without a cache no image is hashed, which takes time, and in browsers a secure context.
  const cache = cacheBytes > 0 || openFolder ? createImageCache(cacheBytes, openFolder) : undefined;
  return {
    latentChannels: vae.config.latent_channels,
    scalingFactor: vae.config.scaling_factor,
    encode: async (images, size) => {
      const compute = (fresh: Float32Array) => encodeMoments(vae, fresh, size, microBatch);
      const rows = await cache?.rows(images, size, (fresh) => rowsOfTensor(compute(fresh)));
      return tf.tidy(() => {
        const [mean, logvar] = tf.split(rows ? tensorOfRows(rows) : compute(images), 2, 3);
        return { mean, logvar } as never;
      }) as unknown as LatentDistribution;
    },
    dispose: () => cache?.clear(),
  };
}

/** Mean and log-variance side by side, `[n, h, w, 2 * latent_channels]`, a few images at a time. */
function encodeMoments(
  vae: AutoencoderKL,
  images: Float32Array,
  size: number,
  microBatch: number,
): tf.Tensor {
  const values = size * size * 3;
  return tf.tidy(() => {
    const parts: tf.Tensor[] = [];
    for (let start = 0; start < images.length; start += microBatch * values) {
      const part = images.subarray(start, start + microBatch * values);
      parts.push(
        tf.tidy(() => {
          const pixels = tf.tensor4d(part, [part.length / values, size, size, 3]);
          const { mean, logvar } = vae.encode(tf.sub(tf.mul(pixels, 2), 1));
          return tf.concat([mean, logvar], 3);
        }),
      );
    }
    return tf.concat(parts);
  });
}

/** Names the VAE's encoder by its settings and weights, which all moments depend on; 32 hexadecimal digits. */
async function modelHash(vae: AutoencoderKL): Promise<string> {
  const hashes = [JSON.stringify(vae.config)];
  for (const [name, { value }] of vae.namedParameters()) {
    if (!name.startsWith("encoder.") && !name.startsWith("quant_conv.")) continue;
    const bytes = Float32Array.from(await value.data());
    hashes.push(name, toHex(await crypto.subtle.digest("SHA-256", bytes)));
  }
  const all = new TextEncoder().encode(hashes.join("\n"));
  return toHex(await crypto.subtle.digest("SHA-256", all)).slice(0, 32);
}
