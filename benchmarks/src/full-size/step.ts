import { createEnhancementStage, createLatentEncoder, objectives, Projector } from "@dcr-js/dcr";
import { createUNetDenoiser, DDPMScheduler } from "@dcr-js/diffusion";
import { addLoRA, CLIPImageProcessor } from "@dcr-js/encoders";
import { initialize, type KernelTime, profile, Random, webgpuStatistics } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import {
  conditionSize,
  conditionTokens,
  type Shapes,
  stableDiffusion21UNet,
  stableDiffusionVae,
  vitL14,
} from "./models.js";
import { randomWeights } from "./random-weights.js";

export interface FullSizeOptions {
  batchSize: number;
  shapes: Shapes;
  device: "webgpu" | "software";
  storage: "float16" | "float32";
  /** Dropout before the LoRA. */
  dropout: number;
  gradientCheckpointing: boolean;
  encoderMicroBatch: number;
  chunk: number;
  /** Timed steps. The first one compiles shaders. */
  steps: number;
  /** Whether one more step is timed by kernel, on the device's own clock. */
  profile: boolean;
}

/** The time and loss of one step. */
export interface StepCost {
  seconds: number;
  /** Processor time of all threads, a software adapter's included. */
  cpuSeconds: number;
  loss: number;
  /** Buffers that the device made in this step, and their bytes. */
  buffersCreated: number;
  bytesAllocated: number;
  /** Largest resident set of the process at its end. */
  peakResidentBytes: number;
}

/** The time and memory of one DCR step at the true shapes. */
export interface FullSizeResult extends FullSizeOptions {
  adapter: string;
  node: string;
  parameters: { encoder: number; unet: number; vae: number; trained: number };
  /** Time that it took to make the weights. */
  weightsSeconds: number;
  /** Largest resident set of the process when the weights were there; a software adapter's memory is part of it. */
  weightsResidentBytes: number;
  /** Each timed step, in order. */
  timed: StepCost[];
  /** Largest resident set of the process. */
  peakResidentBytes: number;
  /** Buffers that the device made in all; the pool keeps most of them. */
  deviceBytesAllocated: number;
  /** Bytes of tensors on the device between steps. */
  deviceBytesSteady: number;
  kernels?: Record<string, KernelTime>;
}

/** In KiB on Linux. */
const peakResident = (): number => process.resourceUsage().maxRSS * 1024;

/**
 * Stage 2 of DCR with random weights: OpenAI's CLIP ViT-L/14 at 224 pixels with LoRA, the VAE and the UNet of Stable Diffusion 2.1-base on
 * 28 x 28 latents. Images are noise. A random condition of 77 tokens stands for the text tower's hidden state of the empty prompt, which is computed once in a
 * run and is no part of a step.
 *
 * @param report called with what is known so far, after the weights and after each step
 */
export async function fullSizeStep(
  options: FullSizeOptions,
  report: (result: FullSizeResult) => void | Promise<void> = () => {},
): Promise<FullSizeResult> {
  const { batchSize, shapes, device, storage, dropout, steps, profile: byKernel, ...memory } = options;
  const { adapter = "" } = await initialize({ device });
  const random = new Random(0);
  const started = performance.now();
  const weights = randomWeights({ seed: 1, storage });
  const encoder = vitL14(shapes);
  const unet = stableDiffusion21UNet(shapes);
  const vae = stableDiffusionVae(shapes);
  for (const module of [encoder, unet, vae.encoder, vae.quant_conv!]) await weights.fill(module);
  weights.dispose();
  const projector = new Projector(encoder.featureSize, conditionSize).initialize(random.fork("projector"));
  const adapters = addLoRA(encoder, {
    rank: 16,
    alpha: 16,
    dropout,
    bias: "lora_only",
    within: "vision_model",
    random: random.fork("lora"),
  });
  const denoiser = createUNetDenoiser(
    unet,
    random.fork("prompt").normal([1, conditionTokens, conditionSize]) as tf.Tensor3D,
  );
  const size = encoder.imageSize;
  const pixels = (name: string): Float32Array =>
    random.fork(name).uniformArray(batchSize * size * size * 3) as Float32Array;
  const batch = {
    names: Array.from({ length: batchSize }, (_, i) => `noise ${i}`),
    size,
    images: pixels("images"),
    augmented: pixels("views"),
  };
  const stage = createEnhancementStage({
    source: {
      size,
      batchSize,
      position: () => ({}),
      restore: () => {},
      close: async () => {},
      async *[Symbol.asyncIterator]() {
        for (;;) yield batch;
      },
    },
    encoder,
    processor: new CLIPImageProcessor(),
    adapters,
    projector,
    denoiser,
    latents: createLatentEncoder(vae, { microBatch: 1, cacheBytes: 0 }),
    scheduler: new DDPMScheduler({ beta_schedule: "scaled_linear", beta_start: 0.00085, beta_end: 0.012 }),
    objective: objectives.dcr(),
    seed: 0,
    learningRate: 1e-5,
    ...memory,
  });
  const count = (of: { shape: number[] }[]) =>
    of.reduce((sum, { shape }) => sum + tf.util.sizeFromShape(shape), 0);
  const result: FullSizeResult = {
    ...options,
    adapter,
    node: process.version,
    parameters: {
      encoder: count(encoder.parameters()),
      unet: count(unet.parameters()),
      vae: count([...vae.encoder.parameters(), ...vae.quant_conv!.parameters()]),
      trained: count(adapters.parameters()),
    },
    weightsSeconds: (performance.now() - started) / 1000,
    weightsResidentBytes: peakResident(),
    timed: [],
    peakResidentBytes: peakResident(),
    deviceBytesAllocated: webgpuStatistics().bytesAllocated,
    deviceBytesSteady: bytesOnDevice(),
  };
  const update = async () => {
    result.peakResidentBytes = peakResident();
    result.deviceBytesAllocated = webgpuStatistics().bytesAllocated;
    result.deviceBytesSteady = bytesOnDevice();
    await report(result);
  };
  await report(result);
  for (let step = 0; step < steps; step++) {
    const [began, cpu, before] = [performance.now(), process.cpuUsage(), webgpuStatistics()];
    const { loss } = await stage.step();
    const { user, system } = process.cpuUsage(cpu);
    const { buffersCreated, bytesAllocated } = webgpuStatistics();
    result.timed.push({
      seconds: (performance.now() - began) / 1000,
      cpuSeconds: (user + system) / 1e6,
      loss,
      buffersCreated: buffersCreated - before.buffersCreated,
      bytesAllocated: bytesAllocated - before.bytesAllocated,
      peakResidentBytes: peakResident(),
    });
    await update();
  }
  if (byKernel) {
    result.kernels = await profile(() => stage.step());
    await update();
  }
  stage.dispose();
  denoiser.dispose();
  for (const module of [encoder, unet, vae, projector]) module.dispose();
  return result;
}

const bytesOnDevice = (): number =>
  (tf.memory() as tf.MemoryInfo & { numBytesInGPU?: number }).numBytesInGPU ?? 0;
