import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hasFloat16Storage, initialize, readSafetensors } from "@dcr-js/tensor";
import { expectClose, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodePrompt } from "./encode-prompt.js";
import { loadStableDiffusion, type StableDiffusionXL } from "./stable-diffusion.js";

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));
const hasHalves = await initialize({ device: "software" }).then(hasFloat16Storage, () => false);
const PROMPTS = ["a photo of a cat", ""];
const disposeAll = (parts: object) => {
  for (const part of Object.values(parts)) (part as { dispose?: () => void }).dispose?.();
};

describe.each(["stable-diffusion", "stable-diffusion-xl"])("loadStableDiffusion of a %s folder", (name) => {
  const folder = fixture(name);
  const xl = name.endsWith("xl");
  const base = ["scheduler", "tokenizer", "textEncoder", "vae", "unet"] as const;
  const extra = ["tokenizer2", "textEncoder2"] as const;
  beforeAll(() => initialize({ device: "wasm" }));

  it("encodes prompts and predicts noise as diffusers does", async () => {
    await expectNoLeaks(async () => {
      const model = await loadStableDiffusion(folder);
      expect(Object.keys(model).sort()).toEqual([...base, ...(xl ? extra : [])].sort());
      expect(model.scheduler.config.beta_schedule).toBe("scaled_linear");
      const golden = await readSafetensors(join(folder, "golden.safetensors"));
      tf.tidy(() => {
        const { encoderHiddenStates, textEmbeds } = encodePrompt(model, PROMPTS);
        expectClose(encoderHiddenStates, golden.encoder_hidden_states, { relative: 1e-5, absolute: 4e-6 });
        if (xl) expectClose(textEmbeds!, golden.text_embeds, { relative: 1e-5, absolute: 4e-6 });
        const output = model.unet.forward(golden.sample as tf.Tensor4D, golden.timesteps as tf.Tensor1D, {
          encoderHiddenStates,
          addedConditions: textEmbeds && { textEmbeds, timeIds: golden.time_ids as tf.Tensor2D },
        });
        expectClose(output, golden.output, { relative: 1e-5, absolute: 1e-5 });
      });
      tf.dispose(golden);
      disposeAll(model);
    });
  });

  it("loads only the parts that are asked for", async () => {
    await expectNoLeaks(async () => {
      const { numTensors } = tf.memory();
      const light = await loadStableDiffusion(folder, { components: ["scheduler", "tokenizer"] });
      expect(Object.keys(light)).toEqual(["scheduler", "tokenizer"]);
      expect(tf.memory().numTensors).toBe(numTensors);
      const model = await loadStableDiffusion(folder, { components: ["unet"] });
      expect(Object.keys(model)).toEqual(["unet"]);
      disposeAll(model);
    });
  });

  if (hasHalves)
    it("stores every part's weights as it is told", async () => {
      await initialize({ device: "software" });
      await expectNoLeaks(async () => {
        for (const storage of ["float16", "float32"] as const) {
          const model = await loadStableDiffusion(folder, { storage });
          for (const part of [model.unet, model.vae, model.textEncoder]) {
            expect(new Set(part.parameters().map((parameter) => parameter.storage))).toEqual(
              new Set([storage]),
            );
            expect(part.trainableParameters().length > 0).toBe(storage === "float32");
          }
          disposeAll(model);
        }
      });
      await initialize({ device: "wasm" });
    });

  it("says that WebAssembly cannot store float16", async () => {
    await expectNoLeaks(() =>
      expect(loadStableDiffusion(folder, { storage: "float16" })).rejects.toThrow(
        'CLIPTextModel.fromPretrained: storage "float16" needs WebGPU on an adapter with shader-f16 (hasFloat16Storage() is false on backend "wasm"); use "float32"',
      ),
    );
  });
});

describe("loadStableDiffusion", () => {
  let folder = "";
  beforeAll(async () => {
    await initialize({ device: "wasm" });
    folder = await mkdtemp(join(tmpdir(), "stable-diffusion-"));
    await cp(fixture("stable-diffusion"), folder, { recursive: true });
  });
  afterAll(() => rm(folder, { recursive: true }));
  const load = (options?: object) =>
    expectNoLeaks(async () => disposeAll(await loadStableDiffusion(folder, options)));

  it("loads files of a variant, and keeps nothing where one of them is missing", async () => {
    for (const part of ["text_encoder/model", "vae/diffusion_pytorch_model"])
      await rename(join(folder, `${part}.safetensors`), join(folder, `${part}.fp16.safetensors`));
    await expect(load({ variant: "fp16" })).rejects.toThrow(
      /unet: has neither diffusion_pytorch_model\.fp16\.safetensors/,
    );
    const unet = join(folder, "unet", "diffusion_pytorch_model");
    await rename(`${unet}.safetensors`, `${unet}.fp16.safetensors`);
    await load({ variant: "fp16" });
    await expect(load()).rejects.toThrow(/model\.safetensors.*model\.fp16\.safetensors.*\{ variant \}/);
    for (const part of ["text_encoder/model", "vae/diffusion_pytorch_model", "unet/diffusion_pytorch_model"])
      await rename(join(folder, `${part}.fp16.safetensors`), join(folder, `${part}.safetensors`));
  });

  it.each([
    [{ components: ["text_encoder"] }, /components must be one of scheduler, .*got "text_encoder"/],
    [{ components: "unet" }, /components must be a list of names, not empty, got "unet"/],
    [{ components: [] }, /components must be a list of names, not empty, got /],
    [{ component: ["unet"] }, /unknown option "component"; expected some of components, /],
    [null, /loadStableDiffusion: options must be an object, got null/],
    [{ components: ["textEncoder2"] }, /model_index\.json has no text_encoder_2/],
    [{ component: ["unet"] }, /loadStableDiffusion: unknown option "component"/],
    [{ storage: "float8" }, /storage must be one of float32, float16, got "float8"/],
  ])("refuses %j", async (options, message) => {
    await expect(load(options as object)).rejects.toThrow(message);
  });

  it("names the class of a part that is not supported, the missing file, and the unknown key", async () => {
    const file = join(folder, "model_index.json");
    const index = JSON.parse(await readFile(file, "utf8"));
    const write = (changes: object) => writeFile(file, JSON.stringify({ ...index, ...changes }));
    await write({ unet: ["diffusers", "SD3Transformer2DModel"] });
    await expect(load()).rejects.toThrow(
      `${file}: unet must be one of UNet2DConditionModel, got "SD3Transformer2DModel"`,
    );
    await load({ components: ["vae"] });
    await write({ scheduler: ["diffusers", "FlowMatchEulerDiscreteScheduler"] });
    await expect(load()).rejects.toThrow(/scheduler must be one of DDPMScheduler, .*got "FlowMatchEuler/);
    await write({ vae: [null, null] });
    await expect(load()).rejects.toThrow("model_index.json has no vae");
    await rm(file);
    await expect(load()).rejects.toThrow(file);
    await write({});

    const scheduler = join(folder, "scheduler", "scheduler_config.json");
    await writeFile(scheduler, '{"a_key_of_tomorrow": 1}');
    await expect(load()).rejects.toThrow(`${scheduler}: a_key_of_tomorrow`);
    await load({ acceptKeys: ["a_key_of_tomorrow"] });
    // Settings are checked before any weights are read.
    const unet = join(folder, "unet", "config.json");
    const settings = await readFile(unet, "utf8");
    await writeFile(unet, '{"layers_per_block": 100000000}');
    await rename(join(folder, "text_encoder"), join(folder, "aside"));
    await expect(load({ components: ["textEncoder", "unet"] })).rejects.toThrow(`${unet}: layers_per_block`);
    await rename(join(folder, "aside"), join(folder, "text_encoder"));
    await writeFile(unet, settings);
    await writeFile(join(folder, "vae", "config.json"), '{"_class_name": "VQModel"}');
    await expect(load({ components: ["vae"] })).rejects.toThrow(
      /AutoencoderKL\.fromConfig: .*config\.json must have _class_name "AutoencoderKL", got "VQModel"/,
    );
  });
});

describe("encodePrompt", () => {
  it("refuses no prompt, and half of XL's text side", async () => {
    await initialize({ device: "wasm" });
    const model = await loadStableDiffusion(fixture("stable-diffusion-xl"), {
      components: ["tokenizer", "textEncoder", "tokenizer2"],
    });
    expect(() => encodePrompt(model as StableDiffusionXL, PROMPTS)).toThrow(/needed together/);
    expect(() => encodePrompt({ ...model, tokenizer2: undefined }, [])).toThrow(/at least one text/);
    disposeAll(model);
  });
});
