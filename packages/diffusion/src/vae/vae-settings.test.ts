import { initialize, type StateDict } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { giveWeights, readGolden, readSettings } from "../../test/settings-fixture.js";
import { AutoencoderKL } from "./autoencoder-kl.js";

const settings = readSettings("vae-settings");
const close = { relative: 1e-5 };

describe.each(Object.entries(settings))("AutoencoderKL with %s", (name, { config, shapes }) => {
  let vae: AutoencoderKL;
  let golden: StateDict;
  beforeAll(async () => {
    await initialize({ device: "wasm" });
    vae = giveWeights(new AutoencoderKL(config), shapes);
    golden = await readGolden("vae-settings", name);
  });
  afterAll(() => {
    vae.dispose();
    tf.dispose(golden);
  });
  const encode = (x: tf.Tensor, slice?: number) => vae.encode(x as tf.Tensor4D, { slice });
  const decode = (z: tf.Tensor, slice?: number) => vae.decode(z as tf.Tensor4D, { slice });

  it.each([false, true])("is diffusers', gradient checkpointing %s", async (flag) => {
    vae.enableGradientCheckpointing(flag);
    await expectNoLeaks(() =>
      tf.tidy(() => {
        const { mean, logvar } = encode(golden.pixels);
        expectCloseNorm(mean, golden.mean, close);
        expectCloseNorm(logvar, golden.logvar, close);
        expectCloseNorm(decode(golden.latents), golden.decoded, close);
        const ofPixels = tf.grad((x) => tf.sum(tf.square(encode(x).mean)))(golden.pixels);
        expectCloseNorm(ofPixels, golden.pixels_gradient, close);
        const ofLatents = tf.grad((z) => tf.sum(tf.square(decode(z))))(golden.latents);
        expectCloseNorm(ofLatents, golden.latents_gradient, close);
      }),
    );
    vae.enableGradientCheckpointing(false);
  });

  it("gives the same in slices of the batch, and the same gradient", () => {
    tf.tidy(() => {
      const x = tf.concat([golden.pixels, golden.pixels, golden.pixels]);
      for (const slice of [1, 4, 6, 100]) {
        expectClose(encode(x, slice).mean, encode(x).mean, { relative: 1e-6, absolute: 1e-6 });
        const gradient = tf.grad((pixels) => tf.sum(tf.square(encode(pixels, slice).mean)))(x);
        expectCloseNorm(tf.slice(gradient, 2, 2), golden.pixels_gradient, close);
      }
      expectClose(decode(golden.latents, 1), decode(golden.latents), { relative: 1e-6, absolute: 1e-6 });
    });
  });

  it("holds no more memory for a larger batch in slices", async () => {
    const peak = async (batch: number) => {
      const x = tf.zeros([batch, 32, 32, 3]);
      const { peakBytes } = await tf.profile(() => tf.dispose({ ...encode(x, 1) } as never));
      x.dispose();
      return peakBytes;
    };
    const [one, eight] = [await peak(1), await peak(8)];
    const pixels = 7 * 32 * 32 * 3 * 4;
    const latents = 7 * 16 * 16 * 2 * 4;
    // Besides one slice's intermediates: the batch itself, and moments, mean and log-variance of the other rows.
    expect(eight - one).toBeLessThan(pixels + 8 * latents);
  });

  it("takes as many images at once as have 512 x 512 pixels together, at least one", () => {
    const rows: number[] = [];
    const counting = new AutoencoderKL(config);
    vi.spyOn(counting.encoder, "forward").mockImplementation((x) => {
      rows.push(x.shape[0]);
      return tf.zeros([x.shape[0], 2, 2, 4]);
    });
    Object.assign(counting, { quant_conv: undefined });
    const counts = (shape: [number, number, number, number]) => {
      rows.length = 0;
      tf.tidy(() => counting.encode(tf.zeros(shape)));
      return [...rows];
    };
    expect(counts([9, 256, 256, 3])).toEqual([4, 4, 1]);
    expect(counts([2, 1024, 512, 3])).toEqual([1, 1]);
    expect(counts([3, 32, 32, 3])).toEqual([3]);
  });

  it("counts a decoded batch by its pixels, not by its latents", () => {
    const rows: number[] = [];
    const counting = new AutoencoderKL(config);
    vi.spyOn(counting.decoder, "forward").mockImplementation((z) => {
      rows.push(z.shape[0]);
      return tf.zeros([z.shape[0], 2, 2, 3]);
    });
    Object.assign(counting, { post_quant_conv: undefined });
    const side = 256 / counting.factor;
    tf.tidy(() => counting.decode(tf.zeros([9, side, side, counting.config.latent_channels])));
    expect(rows).toEqual([4, 4, 1]);
  });

  it("refuses what is no batch of images or latents of its kind", () => {
    const { factor } = vae;
    const { in_channels: channels, latent_channels: latents } = vae.config;
    const before = tf.memory().numTensors;
    const refuses = (call: (x: tf.Tensor4D) => unknown, name: string, shapes: number[][]) => {
      for (const shape of shapes) {
        const x: tf.Tensor = tf.zeros(shape);
        expect(() => call(x as tf.Tensor4D), String(shape)).toThrow(`AutoencoderKL.${name}`);
        x.dispose();
      }
    };
    refuses((x) => vae.encode(x), "encode", [
      [factor, factor, channels],
      [1, factor, factor, channels + 1],
      [0, factor, factor, channels],
      [1, factor - 1, factor, channels],
      [1, factor, factor - 1, channels],
      [1, factor, factor, channels, 1],
    ]);
    refuses((x) => vae.decode(x), "decode", [
      [1, 1, latents],
      [1, 1, 1, latents + 1],
      [0, 1, 1, latents],
      [1, 1, 1, latents, 1],
    ]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("refuses a slice that is no positive integer, and unknown options", () => {
    for (const slice of [0, 1.5, Number.NaN]) {
      expect(() => encode(golden.pixels, slice)).toThrow(/AutoencoderKL\.encode: slice must be an integer/);
      expect(() => decode(golden.latents, slice)).toThrow(/AutoencoderKL\.decode: slice must be an integer/);
    }
    expect(() => vae.encode(golden.pixels as tf.Tensor4D, { slices: 1 } as never)).toThrow(
      /unknown option "slices"/,
    );
  });
});
