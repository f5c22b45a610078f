import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, readSafetensors, type StateDict, writeSafetensors } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AutoencoderKL, sampleLatents } from "./autoencoder-kl.js";

const folder = fileURLToPath(new URL("../../fixtures/vae", import.meta.url));

describe("AutoencoderKL", () => {
  let vae: AutoencoderKL;
  let golden: StateDict;

  beforeAll(async () => {
    await initialize({ device: "wasm" });
    vae = await AutoencoderKL.fromPretrained(folder);
    golden = await readSafetensors(join(folder, "golden.safetensors"));
  });
  afterAll(() => {
    vae.dispose();
    tf.dispose(golden);
  });

  it("encodes and decodes what diffusers does", async () => {
    await expectNoLeaks(() => {
      const { mean, logvar } = vae.encode(golden.pixels as tf.Tensor4D);
      expectClose(mean, golden.mean, { relative: 1e-5, absolute: 2e-6 });
      expectClose(logvar, golden.logvar, { relative: 1e-5, absolute: 2e-6 });
      const decoded = vae.decode(golden.latents as tf.Tensor4D);
      expectClose(decoded, golden.decoded, { relative: 1e-5, absolute: 2e-6 });
      tf.dispose([mean, logvar, decoded]);
    });
  });

  it("reads the names that diffusers wrote before 0.18", async () => {
    const own = await readSafetensors(join(folder, "diffusion_pytorch_model.safetensors"));
    const older = { to_q: "query", to_k: "key", to_v: "value", "to_out.0": "proj_attn" };
    const renamed = Object.entries(own).map(([name, weight]) => {
      const entry = Object.entries(older).find(([today]) => name.includes(`attentions.0.${today}.`));
      return [entry ? name.replace(entry[0], entry[1]) : name, weight] as const;
    });
    expect(renamed.filter(([name]) => /\.(query|key|value|proj_attn)\./.test(name)).length).toBe(16);
    const old = await mkdtemp(join(tmpdir(), "vae-"));
    await copyFile(join(folder, "config.json"), join(old, "config.json"));
    await writeSafetensors(join(old, "diffusion_pytorch_model.safetensors"), Object.fromEntries(renamed));
    const again = await AutoencoderKL.fromPretrained(old);
    await rm(old, { recursive: true });
    tf.tidy(() => {
      expectClose(again.encode(golden.pixels as tf.Tensor4D).mean, golden.mean, {
        relative: 1e-5,
        absolute: 2e-6,
      });
    });
    again.dispose();
    tf.dispose(own);
  });

  it("has diffusers' gradient at the latents", () => {
    const gradient = tf.grad((z) => tf.sum(tf.square(vae.decode(z as tf.Tensor4D))))(golden.latents);
    expectClose(gradient, golden.latents_gradient, { relative: 1e-5, absolute: 1e-5 });
    gradient.dispose();
  });

  it("clamps the log-variance to [-30, 20]", async () => {
    const extreme = await AutoencoderKL.fromPretrained(folder);
    const bias = tf.tensor1d([0, 0, 0, 0, 1e3, -1e3, 20.5, -30.5]);
    const weight = tf.zeros([1, 1, 8, 8]);
    extreme.quant_conv!.bias!.assign(bias);
    extreme.quant_conv!.weight.assign(weight);
    tf.tidy(() => {
      const { logvar } = extreme.encode(golden.pixels as tf.Tensor4D);
      expectClose(tf.slice(tf.reshape(logvar, [-1]), 0, 4), [20, -30, 20, -30]);
    });
    tf.dispose([bias, weight]);
    extreme.dispose();
  });

  it("samples the posterior", () => {
    tf.tidy(() => {
      const mean = tf.fill([1, 1, 1, 2], 3) as tf.Tensor4D;
      const logvar = tf.fill([1, 1, 1, 2], Math.log(4)) as tf.Tensor4D;
      const noise = tf.tensor4d([1, -1], [1, 1, 1, 2]);
      expectClose(sampleLatents({ mean, logvar }, noise), tf.tensor4d([5, 1], [1, 1, 1, 2]), {
        relative: 1e-6,
      });
      const one = tf.ones([1, 1, 1, 1]) as tf.Tensor4D;
      expect(() => sampleLatents({ mean, logvar }, one)).toThrow(
        /got \[1,1,1,2\], \[1,1,1,2\] and \[1,1,1,1\]/,
      );
      expect(() => sampleLatents({ mean, logvar: one }, noise)).toThrow(/must have one shape/);
    });
  });

  it.each(["10x15", "21x13"])(
    "encodes %s pixels, which its levels do not divide, as diffusers does",
    async (size) => {
      const odd = await readSafetensors(join(folder, `golden-${size}.safetensors`));
      await expectNoLeaks(() =>
        tf.tidy(() => {
          const { mean, logvar } = vae.encode(odd.pixels as tf.Tensor4D);
          expectClose(mean, odd.mean, { relative: 1e-5, absolute: 2e-6 });
          expectClose(logvar, odd.logvar, { relative: 1e-5, absolute: 2e-6 });
          expectClose(vae.decode(odd.latents as tf.Tensor4D), odd.decoded, {
            relative: 1e-5,
            absolute: 2e-6,
          });
          const gradient = tf.grad((x) => tf.sum(tf.square(vae.encode(x as tf.Tensor4D).mean)))(odd.pixels);
          expectClose(gradient, odd.pixels_gradient, { relative: 1e-5, absolute: 1e-5 });
        }),
      );
      tf.dispose(odd);
    },
  );

  it("refuses images smaller than one latent", () => {
    const x = tf.zeros([1, 3, 16, 3]) as tf.Tensor4D;
    expect(() => vae.encode(x)).toThrow(/at least 4, at least 4, 3\], got \[1,3,16,3\]/);
    x.dispose();
  });
});
