import { fileURLToPath } from "node:url";
import type { ImageSource } from "@dcr-js/data";
import { createUNetDenoiser, DDPMScheduler, UNet2DConditionModel } from "@dcr-js/diffusion";
import { addLoRA, CLIPImageProcessor, CLIPModel } from "@dcr-js/encoders";
import { type DeviceChoice, initialize, readSafetensors, type StateDict } from "@dcr-js/tensor";
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
/** The golden values on the host. */
const host: Record<string, Float32Array> = {};

async function start(device: DeviceChoice): Promise<void> {
  await initialize({ device });
  golden = await readSafetensors(`${folder}/golden.safetensors`);
  for (const [name, tensor] of Object.entries(golden)) host[name] = (await tensor.data()) as Float32Array;
}

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

const under = <T>(prefix: string, all: Record<string, T>): Record<string, T> =>
  Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );

/** The first step: its record, and the gradient of each trained parameter by its name in peft. */
async function firstStep(name: "dcr" | "naive", change: Partial<StageOptions>, savings = true) {
  const encoder = await CLIPModel.fromPretrained(`${folder}/clip`);
  const unet = await UNet2DConditionModel.fromPretrained(`${folder}/unet`);
  const projector = new Projector(12, 10).loadStateDict(under("projector.", golden));
  const lora = addLoRA(encoder, {
    rank: 2,
    alpha: 4,
    dropout: 0,
    bias: "lora_only",
    within: "vision_model",
  }).loadStateDict(under("adapters.", golden));
  const denoiser = createUNetDenoiser(unet, tf.clone(golden["emptyPrompt"]) as tf.Tensor3D, {
    sharedPrefix: savings,
    additive: savings,
  });
  const scheduler = new DDPMScheduler({ num_train_timesteps: 1000, prediction_type: "epsilon" });
  // PyTorch cannot draw our noise: the step is given what it would draw.
  scheduler.addNoise = () => tf.clone(golden["noisy"]) as tf.Tensor4D;
  scheduler.target = () => tf.clone(golden["target"]) as tf.Tensor4D;
  const timesteps = Int32Array.from(host["timesteps"]);
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
  const gradients: [path: string, gradient: Float32Array][] = [];
  for (const [i, path] of Object.keys(adapters).entries()) {
    const moments = (await tensors[`exp_avg.${i}`].data()) as Float32Array;
    gradients.push([path, moments.map((m) => 10 * m)]);
  }
  tf.dispose([tensors, adapters]);
  stage.dispose();
  denoiser.dispose();
  for (const module of [encoder, unet, projector]) module.dispose();
  return { record, gradients };
}

type Case = ["dcr" | "naive", string, Partial<StageOptions>, boolean];
const whole = { encoderMicroBatch: 0, chunk: 0 };
const cases: Case[] = [
  ["dcr", "all graphs at once", whole, false],
  ["dcr", "micro-batches", { ...whole, encoderMicroBatch: 1 }, false],
  ["dcr", "chunks", { ...whole, chunk: 5 }, false],
  ["dcr", "checkpoints", { ...whole, gradientCheckpointing: true }, false],
  ["dcr", "a shared prefix and additive conditions", whole, true],
  ["dcr", "everything", { encoderMicroBatch: 2, chunk: 4, gradientCheckpointing: true }, true],
  ["dcr", "losses apart", { conflict: true }, true],
  ["naive", "all graphs at once", whole, false],
  ["naive", "everything", { encoderMicroBatch: 2, chunk: 2, gradientCheckpointing: true }, true],
  ["naive", "losses apart", { conflict: true }, true],
];
// Software WebGPU takes its time: two cases that use all there is.
const onWebGPU = cases.filter(([, ways]) => ways === "everything");
const devices: [DeviceChoice, Case[]][] = [["wasm", cases]];
if (process.env["VK_DRIVER_FILES"]) devices.push(["software", onWebGPU]);

describe.each(devices)("a step on 28 x 28 latents on %s", (device, chosen) => {
  beforeAll(() => start(device));
  afterAll(() => tf.dispose(golden));

  it.each(chosen)(
    "gives PyTorch's losses and LoRA gradients for %s with %s",
    async (name, _, change, savings) => {
      // The first step fills caches that are meant to stay.
      if (device !== "wasm") await firstStep(name, change, savings);
      await expectNoLeaks(async () => {
        const { record, gradients } = await firstStep(name, change, savings);
        expectClose([record.loss], host[`${name}.loss`], { relative: 1e-5 });
        for (const [part, loss] of Object.entries(under(`${name}.losses.`, host))) {
          expectClose([record.losses[part]], loss, { relative: 1e-5 });
        }
        expect(gradients.length).toBe(Object.keys(under("adapters.", host)).length);
        const all = gradients.flatMap(([, gradient]) => [...gradient]);
        const expected = gradients.flatMap(([path]) => [...host[`${name}.gradient.${path}`]]);
        expectCloseNorm(all, expected, { relative: 2e-5 });
        for (const [path, gradient] of gradients) {
          // A key's bias shifts all scores of a query alike, so its gradient is rounding.
          const absolute = path.includes("k_proj") ? 1e-6 : 0;
          expectCloseNorm(gradient, host[`${name}.gradient.${path}`], { relative: 1e-4, absolute });
        }
      });
    },
  );
});
