import { fileURLToPath } from "node:url";
import type { ImageSource } from "@dcr-js/data";
import { createUNetDenoiser, DDPMScheduler, UNet2DConditionModel } from "@dcr-js/diffusion";
import { addLoRA, CLIPImageProcessor, CLIPModel } from "@dcr-js/encoders";
import { initialize, readSafetensors, type StateDict } from "@dcr-js/tensor";
import { expectClose, expectCloseNorm, expectNoLeaks } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { objectives } from "../objectives/objectives.js";
import { Projector } from "../projector.js";
import { createEnhancementStage } from "./enhancement-stage.js";
import type { StageOptions } from "./stage-options.js";

const folder = fileURLToPath(new URL("../../fixtures/step", import.meta.url));
const [n, size] = [3, 224];
let golden: StateDict;

beforeAll(async () => {
  await initialize({ device: "wasm" });
  golden = await readSafetensors(`${folder}/golden.safetensors`);
});
afterAll(() => tf.dispose(golden));

/** The images of `tools/reference/dcr_step.py`. */
function images(phase: number): Float32Array {
  const values = new Float32Array(n * size * size * 3);
  let at = 0;
  for (let i = 0; i < n; i++) {
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        for (let c = 0; c < 3; c++) {
          values[at++] = 0.5 + 0.4 * Math.sin(0.05 * (i + 1) * x + 0.07 * y + c + phase);
        }
      }
    }
  }
  return values;
}

const batch = { names: ["a", "b", "c"], size, images: images(0), augmented: images(0.6) };
const source: ImageSource = {
  batchSize: n,
  size,
  position: () => ({}),
  restore: () => {},
  close: async () => {},
  async *[Symbol.asyncIterator]() {
    for (;;) yield batch;
  },
};

const under = (prefix: string) =>
  Object.fromEntries(
    Object.entries(golden).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    ),
  );

/** The first step: its record, and the gradient of each trained parameter by its name in peft. */
async function firstStep(name: "dcr" | "naive", change: Partial<StageOptions>, savings = true) {
  const encoder = await CLIPModel.fromPretrained(`${folder}/clip`);
  const unet = await UNet2DConditionModel.fromPretrained(`${folder}/unet`);
  const projector = new Projector(12, 10).loadStateDict(under("projector."));
  const lora = addLoRA(encoder, {
    rank: 2,
    alpha: 4,
    dropout: 0,
    bias: "lora_only",
    within: "vision_model",
  }).loadStateDict(under("adapters."));
  const denoiser = createUNetDenoiser(unet, tf.clone(golden["emptyPrompt"]) as tf.Tensor3D, {
    sharedPrefix: savings,
    additive: savings,
  });
  const scheduler = new DDPMScheduler({ num_train_timesteps: 1000, prediction_type: "epsilon" });
  // PyTorch cannot draw our noise: the step is given what it would draw.
  scheduler.addNoise = () => tf.clone(golden["noisy"]) as tf.Tensor4D;
  scheduler.target = () => tf.clone(golden["target"]) as tf.Tensor4D;
  const timesteps = golden["timesteps"].dataSync() as Int32Array;
  const stage = createEnhancementStage({
    source,
    encoder,
    projector,
    scheduler,
    denoiser: { ...denoiser, prepare: (noisy) => denoiser.prepare(noisy, timesteps) },
    processor: new CLIPImageProcessor(),
    latents: {
      latentChannels: 4,
      scalingFactor: 1,
      encode: async () => ({ mean: tf.zeros([n, 28, 28, 4]), logvar: tf.zeros([n, 28, 28, 4]) }),
      dispose: () => {},
    },
    adapters: lora,
    objective: objectives[name](),
    seed: 0,
    learningRate: 0,
    maxGradNorm: 1e9,
    ...change,
  });
  const record = await stage.step();
  const { tensors } = stage.state();
  const adapters = lora.stateDict();
  // AdamW's first moment is a tenth of the gradient after its first step.
  const gradients = Object.keys(adapters).map(
    (path, i) => [path, tensors[`exp_avg.${i}`].dataSync().map((m) => 10 * m)] as const,
  );
  tf.dispose([tensors, adapters]);
  stage.dispose();
  denoiser.dispose();
  for (const module of [encoder, unet, projector]) module.dispose();
  return { record, gradients };
}

describe("a step on 28 x 28 latents", () => {
  it.each<["dcr" | "naive", string, Partial<StageOptions>, boolean]>([
    ["dcr", "all graphs at once", { encoderMicroBatch: 0, chunk: 0 }, false],
    ["dcr", "micro-batches", { encoderMicroBatch: 1, chunk: 0 }, false],
    ["dcr", "chunks", { encoderMicroBatch: 0, chunk: 5 }, false],
    ["dcr", "checkpoints", { encoderMicroBatch: 0, chunk: 0, gradientCheckpointing: true }, false],
    ["dcr", "a shared prefix and additive conditions", { encoderMicroBatch: 0, chunk: 0 }, true],
    ["dcr", "everything", { encoderMicroBatch: 2, chunk: 4, gradientCheckpointing: true }, true],
    ["dcr", "losses apart", { conflict: true }, true],
    ["naive", "all graphs at once", { encoderMicroBatch: 0, chunk: 0 }, false],
    ["naive", "everything", { encoderMicroBatch: 2, chunk: 2, gradientCheckpointing: true }, true],
    ["naive", "losses apart", { conflict: true }, true],
  ])("gives PyTorch's losses and LoRA gradients for %s with %s", async (name, _, change, savings) => {
    await expectNoLeaks(async () => {
      const { record, gradients } = await firstStep(name, change, savings);
      expectClose([record.loss], golden[`${name}.loss`], { relative: 1e-5 });
      for (const [part, loss] of Object.entries(under(`${name}.losses.`))) {
        expectClose([record.losses[part]], loss, { relative: 1e-5 });
      }
      expect(gradients.length).toBe(Object.keys(under("adapters.")).length);
      const all = gradients.flatMap(([, gradient]) => [...gradient]);
      const expected = gradients.flatMap(([path]) => [...golden[`${name}.gradient.${path}`].dataSync()]);
      expectCloseNorm(all, expected, { relative: 2e-5 });
      for (const [path, gradient] of gradients) {
        // A key's bias shifts all scores of a query alike, so its gradient is rounding.
        const absolute = path.includes("k_proj") ? 1e-6 : 0;
        expectCloseNorm(gradient, golden[`${name}.gradient.${path}`], { relative: 1e-4, absolute });
      }
    });
  });
});
