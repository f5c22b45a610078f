import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { initialize, Random, readSafetensors } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createDenoiser, createUNetDenoiser, type Denoiser, type DenoiserOptions } from "./denoiser.js";
import { loadStableDiffusion } from "./stable-diffusion/stable-diffusion.js";
import { UNet2DConditionModel } from "./unet/unet-2d-condition-model.js";

const timesteps = Int32Array.of(20, 900);
const rows = Int32Array.of(1, 0, 1);
let unet: UNet2DConditionModel;
let emptyPrompt: tf.Tensor3D;
let noisy: tf.Tensor4D;

beforeAll(async () => {
  await initialize({ device: "wasm" });
  const random = new Random(5);
  unet = makeUNet().initialize(random);
  emptyPrompt = random.normal([1, 5, 12]) as tf.Tensor3D;
  noisy = random.normal([2, 8, 8, 4]) as tf.Tensor4D;
});
afterAll(() => {
  unet.dispose();
  tf.dispose([emptyPrompt, noisy]);
});

const makeUNet = (change: object = {}) =>
  new UNet2DConditionModel({
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    block_out_channels: [8, 16],
    layers_per_block: 1,
    cross_attention_dim: 12,
    attention_head_dim: 2,
    norm_num_groups: 4,
    ...change,
  });

function withDenoiser<T>(options: DenoiserOptions | undefined, use: (denoiser: Denoiser) => T): T {
  const denoiser = createUNetDenoiser(unet, tf.clone(emptyPrompt), options);
  try {
    return use(denoiser);
  } finally {
    denoiser.dispose();
  }
}

/** Predictions of some rows, and their gradient at the conditions. */
function predict(conditions: tf.Tensor, options?: DenoiserOptions): [tf.Tensor, tf.Tensor] {
  return withDenoiser(options, (denoiser) => {
    const prepared = denoiser.prepare(noisy, timesteps);
    const made = denoiser.predict(prepared, rows, conditions);
    const weights = new Random(9).normal(made.shape);
    const gradient = tf.grad((e) => denoiser.predict(prepared, rows, e))(conditions, weights);
    prepared.dispose();
    weights.dispose();
    return [made, gradient];
  });
}

/** The same by the UNet itself, a row at a time, with the states written out. */
function plain(conditions: tf.Tensor): [tf.Tensor, tf.Tensor] {
  return tf.tidy(() => {
    const run = (e: tf.Tensor) =>
      tf.concat(
        Array.from(rows, (image, row) => {
          const own = tf.slice(e, row, 1);
          const first = e.rank === 2 ? tf.expandDims(own, 1) : tf.slice(own, [0, 0, 0], [1, 1, 12]);
          const states = [tf.add(emptyPrompt, first)];
          if (e.rank === 3) states.push(tf.slice(own, [0, 1, 0], [1, e.shape[1]! - 1, 12]));
          return unet.forward(tf.slice(noisy, image, 1), tf.tensor1d([timesteps[image]], "int32"), {
            encoderHiddenStates: tf.concat(states, 1) as tf.Tensor3D,
          });
        }),
      );
    const made = run(conditions);
    return [made, tf.grad(run)(conditions, new Random(9).normal(made.shape))];
  });
}

describe("createUNetDenoiser", () => {
  it.each<[string, number[], DenoiserOptions | undefined]>([
    ["one vector", [3, 12], undefined],
    ["one vector, without savings", [3, 12], { sharedPrefix: false, additive: false }],
    ["one vector, with a shared prefix", [3, 12], { additive: false }],
    ["one vector, added after the attention", [3, 12], { sharedPrefix: false }],
    ["several tokens", [3, 4, 12], undefined],
    ["several tokens, without savings", [3, 4, 12], { sharedPrefix: false, additive: false }],
  ])("predicts what the UNet does for conditions of %s, with its gradient", async (_, shape, options) => {
    await expectNoLeaks(() => {
      const conditions = new Random(6).normal(shape);
      const [made, expected] = [predict(conditions, options), plain(conditions)];
      expectCloseNorm(made[0], expected[0], { relative: 1e-5 });
      expectCloseNorm(made[1], expected[1], { relative: 1e-5 });
      tf.dispose([conditions, made, expected]);
    });
  });

  it("spares the work that its options say", () => {
    const suffix = vi.spyOn(unet, "suffix");
    const prefix = vi.spyOn(unet, "prefix");
    tf.tidy(() => {
      for (const additive of [true, false])
        for (const sharedPrefix of [true, false]) {
          suffix.mockClear();
          prefix.mockClear();
          withDenoiser({ additive, sharedPrefix }, (denoiser) => {
            const prepared = denoiser.prepare(noisy, timesteps);
            denoiser.predict(prepared, rows, tf.ones([3, 12]));
            denoiser.predict(prepared, rows, tf.ones([3, 2, 12]));
            prepared.dispose();
          });
          // A single vector is added after the attention, several are attended to.
          expect(suffix.mock.calls.map(([, condition]) => "additive" in condition)).toEqual([
            additive,
            false,
          ]);
          expect(prefix.mock.calls.map(([sample]) => sample.shape[0])).toEqual(sharedPrefix ? [2] : [3, 3]);
        }
    });
    suffix.mockRestore();
    prefix.mockRestore();
  });

  it("takes a single token for one vector", async () => {
    await expectNoLeaks(() => {
      const one = new Random(6).normal([3, 12]);
      const token = tf.reshape(one, [3, 1, 12]);
      const [made, expected] = [predict(token), predict(one)];
      expectCloseNorm(made[0], expected[0], { relative: 1e-6 });
      tf.dispose([one, token, made, expected]);
    });
  });

  it("says what it takes and what it can do, and freezes the UNet", () => {
    unet.requiresGrad(true);
    withDenoiser({ additive: false }, ({ conditionSize, latentChannels, capabilities }) => {
      expect({ conditionSize, latentChannels, capabilities }).toEqual({
        conditionSize: 12,
        latentChannels: 4,
        capabilities: { additiveConditions: false, sharedPrefix: true, tokenConditions: true },
      });
    });
    for (const options of [undefined, {}, { additive: undefined, sharedPrefix: undefined }])
      withDenoiser(options, ({ capabilities }) =>
        expect(capabilities).toEqual({ additiveConditions: true, sharedPrefix: true, tokenConditions: true }),
      );
    for (const name of ["additive", "sharedPrefix"])
      expect(() => createUNetDenoiser(unet, emptyPrompt, { [name]: 1 })).toThrow(`${name} must be a boolean`);
    expect(unet.trainableParameters()).toEqual([]);
  });

  it("checkpoints the UNet's blocks where it is asked to", () => {
    withDenoiser(undefined, (denoiser) => {
      denoiser.enableGradientCheckpointing?.(true);
      expect(unet.gradientCheckpointing).toBe(true);
      denoiser.enableGradientCheckpointing?.(false);
      expect(unet.gradientCheckpointing).toBe(false);
    });
  });

  it.each([true, false])(
    "refuses a batch that does not fit, and frees what it made (sharedPrefix: %s)",
    async (sharedPrefix) => {
      await expectNoLeaks(() =>
        withDenoiser({ sharedPrefix }, (denoiser) => {
          for (const [wrong, got] of [
            [Int32Array.of(100), "1"],
            [Int32Array.of(1, 2, 3), "3"],
            [[1, 2], "an array of 2"],
          ]) {
            expect(() => denoiser.prepare(noisy, wrong as Int32Array)).toThrow(
              `Denoiser.prepare: timesteps must be an Int32Array of 2, one for each image, got ${got}`,
            );
          }
          tf.tidy(() => {
            for (const shape of [
              [2, 8, 8, 3],
              [8, 8, 4],
            ]) {
              expect(() =>
                denoiser.prepare(tf.zeros(shape as [number, number, number, number]), timesteps),
              ).toThrow(`Denoiser.prepare: noisy must be [N, h, w, 4], got [${shape}]`);
            }
          });
        }),
      );
      const prefix = vi.spyOn(unet, "prefix").mockImplementation(() => {
        throw new Error("out of memory");
      });
      await expectNoLeaks(() =>
        withDenoiser({}, (denoiser) => {
          expect(() => denoiser.prepare(noisy, timesteps)).toThrow("out of memory");
        }),
      );
      prefix.mockRestore();
    },
  );

  it("refuses what does not fit", () => {
    withDenoiser(undefined, (denoiser) => {
      tf.tidy(() => {
        for (const [wrong, got] of [
          [tf.zeros([8, 8, noisy.shape[3]]), `[8,8,${noisy.shape[3]}]`],
          [[[1]], "an array of 1"],
        ] as const) {
          expect(() => denoiser.prepare(wrong as never, timesteps)).toThrow(
            `Denoiser.prepare: noisy must be [N, h, w, ${noisy.shape[3]}], got ${got}`,
          );
        }
      });
      const prepared = denoiser.prepare(noisy, timesteps);
      tf.tidy(() => {
        for (const shape of [[2, 12], [3, 11], [3, 4, 11], [3, 0, 12], [36]]) {
          expect(() => denoiser.predict(prepared, rows, tf.zeros(shape))).toThrow(
            `Denoiser.predict: conditions must be [3, 12] or [3, tokens, 12], got [${shape}]`,
          );
        }
        for (const row of [-1, 2]) {
          expect(() => denoiser.predict(prepared, Int32Array.of(0, row, 1), tf.zeros([3, 12]))).toThrow(
            `Denoiser.predict: rows must name images in 0..1, got ${row}`,
          );
        }
        for (const wrong of [[0.5], Float32Array.of(0.5), new Int32Array(0), undefined]) {
          expect(() => denoiser.predict(prepared, wrong as Int32Array, tf.zeros([1, 12]))).toThrow(
            "Denoiser.predict: rows must be an Int32Array, not empty, got ",
          );
        }
        expect(() => denoiser.prepare(noisy, Int32Array.of(0, -7))).toThrow(
          "Denoiser.prepare: timesteps must be at least 0, got -7",
        );
      });
      prepared.dispose();
    });
    tf.tidy(() => {
      expect(() => createUNetDenoiser(unet, tf.zeros([1, 5, 13]))).toThrow(
        "createUNetDenoiser: the empty prompt must be [1, tokens, 12] for this UNet, got [1,5,13]",
      );
      expect(() => createUNetDenoiser(makeUNet({ in_channels: 9 }), emptyPrompt)).toThrow(
        "the UNet must predict as many channels as it takes, got 9 in and 4 out",
      );
      expect(() => createUNetDenoiser(unet, emptyPrompt, { chunk: 3 } as never)).toThrow(
        'unknown option "chunk"',
      );
    });
  });
});

/** Made by tools/reference/diffusion_pipelines.py with diffusers' pipelines. */
describe.each(["stable-diffusion", "stable-diffusion-xl"])("createDenoiser of a %s folder", (name) => {
  const folder = fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

  it.each<DenoiserOptions>([{}, { sharedPrefix: false, additive: false }])(
    "predicts as diffusers does under e = u + h, with its gradient at h, %j",
    async (options) => {
      await expectNoLeaks(async () => {
        const model = await loadStableDiffusion(folder);
        const golden = await readSafetensors(join(folder, "golden.safetensors"));
        const denoiser = createDenoiser(model, options);
        model.textEncoder.dispose();
        model.textEncoder2?.dispose();
        const { sample, timesteps, conditions, weights } = golden;
        const prepared = denoiser.prepare(sample as tf.Tensor4D, Int32Array.from(timesteps!.dataSync()));
        tf.tidy(() => {
          const predictions = denoiser.predict(prepared, rows, conditions!);
          expectClose(predictions, golden["predictions"]!, { relative: 1e-5, absolute: 1e-5 });
          const gradient = tf.grad((h) => denoiser.predict(prepared, rows, h))(conditions!, weights!);
          expectCloseNorm(gradient, golden["gradient"]!, { relative: 1e-5 });
        });
        for (const made of [prepared, denoiser, model.unet, model.vae]) made.dispose();
        tf.dispose(golden);
      });
    },
  );
});

describe("createDenoiser of Stable Diffusion XL", () => {
  it("names the parts that are missing or do not fit", async () => {
    const folder = fileURLToPath(new URL("../fixtures/stable-diffusion-xl", import.meta.url));
    await expectNoLeaks(async () => {
      const model = await loadStableDiffusion(folder);
      expect(() => createDenoiser({ ...model, vae: undefined })).toThrow(
        "this UNet takes added conditions (Stable Diffusion XL), so textEncoder2, tokenizer2 and vae are needed too",
      );
      const withAdded = (textEmbeds: tf.Tensor2D, of = model.unet) =>
        createUNetDenoiser(of, tf.zeros([1, 5, 12]), { added: { textEmbeds, vaeFactor: 2 } });
      tf.tidy(() => {
        expect(() => createUNetDenoiser(model.unet, tf.zeros([1, 5, 12]))).toThrow(
          'addition_embed_type is "text_time", and added conditions were not given',
        );
        expect(() => withAdded(tf.zeros([1, 6]), unet)).toThrow(
          "addition_embed_type is null, and added conditions were given",
        );
        expect(() => withAdded(tf.zeros([1, 7]))).toThrow(
          "textEmbeds must be [1, 6] for this UNet, got [1,7]",
        );
        for (const wrong of [tf.zeros([6]), tf.zeros([2, 6])])
          expect(() => withAdded(wrong as tf.Tensor2D)).toThrow("textEmbeds must be [1, 6] for this UNet");
        for (const vaeFactor of [0, 1.5])
          expect(() =>
            createUNetDenoiser(model.unet, tf.zeros([1, 5, 12]), {
              added: { textEmbeds: tf.zeros([1, 6]), vaeFactor },
            }),
          ).toThrow("vaeFactor must be an integer, at least 1");
        for (const classes of [{ num_class_embeds: 3 }, { class_embed_type: "timestep" }])
          expect(() => createUNetDenoiser(makeUNet(classes), emptyPrompt)).toThrow(
            "must not need a class of each image",
          );
        for (const wrong of [tf.zeros([5, 12]), tf.zeros([2, 5, 12])])
          expect(() => createUNetDenoiser(unet, wrong as tf.Tensor3D)).toThrow(
            "the empty prompt must be [1, tokens, 12]",
          );
      });
      for (const part of Object.values(model)) (part as { dispose?: () => void }).dispose?.();
    });
  });
});
