import type { RunConfig } from "../config/run-config.js";
import { countWeights, type ModelShapes } from "../models/model-shapes.js";
import { denoiserBackwardValues, encoderBackwardValues, vaeEncoderValues } from "./activation-memory.js";
import { formatBytes } from "./format-bytes.js";

/** A part of a run's memory on the device. */
export interface MemoryRow {
  what: string;
  bytes: number;
  /** Held for the whole run, or for one phase of a step; phases follow each other. */
  held: "always" | "phase";
}

export interface MemoryPlan {
  rows: MemoryRow[];
  /** All that is always held, and the largest phase. */
  peak: number;
  /** Predictions that a gradient holds at once. */
  chunk: number;
  /** Images that the encoder's gradient holds at once. */
  microBatch: number;
}

/** A device's memory. */
export interface DeviceMemory {
  /** Bytes for everything; undefined where nobody can know. */
  total?: number;
  /** Bytes of the largest tensor. */
  largestTensor?: number;
  /** Whether it keeps buffers for reuse, as our WebGPU backend does. */
  keepsBuffers?: boolean;
  /** How an error calls it. */
  name: string;
}

/** float32. */
const valueBytes = 4;
/**
 * Our WebGPU backend gives tensors of a pass buffers that are somewhat larger, so that other phases can use them, and keeps free
 * buffers for the next phase (`BufferPool` in `@dcr-js/tensor`). Both are the most that it takes for that.
 */
const bufferSlack = 1.2;
const keptBuffers = 1.2;
/** The trainer's own defaults. */
const usualSizes = { chunk: 16, microBatch: 8 };
/**
 * A chunk is larger than usual as long as its gradient takes no more than this, 512 MiB. The trainer makes all predictions but the last chunk's twice,
 * so that a chunk of all of them saves a forward pass.
 */
const smallChunkBytes = 2 ** 29;

/**
 * A run's memory, and the largest chunk and micro-batch that fit.
 *
 * @param options `adapterValues`: how many numbers the method's adapters are; `resumed`: whether the run goes on, with the settings that it has
 * @throws where not even one prediction and one image at a time fit, with advice
 */
export function planMemory(
  shapes: ModelShapes,
  config: RunConfig,
  device: DeviceMemory,
  { adapterValues, resumed = false }: { adapterValues: number; resumed?: boolean },
): MemoryPlan {
  checkLargestWeight(shapes, config, device);
  const { total = Number.POSITIVE_INFINITY } = device;
  const batch = largestBatch(config);
  const pairs = batch * batch + batch;
  const fixed = config.memory;
  const plan = {
    chunk: fixed.chunk ?? Math.min(Math.max(usualSizes.chunk, largestSmallChunk(shapes, config)), pairs),
    microBatch: fixed.microBatch ?? Math.min(usualSizes.microBatch, 2 * batch),
  };
  for (;;) {
    const needed = memoryRows(shapes, config, { ...plan, adapterValues });
    const rows = device.keepsBuffers ? [...needed, spareRow(needed)] : needed;
    const peak = peakOf(rows);
    if (peak <= total) return { ...plan, rows, peak };
    // The phase that is largest has to shrink; a size that the user set stays.
    const [largest] = rows.filter(({ held }) => held === "phase").sort((a, b) => b.bytes - a.bytes);
    const shrinks = (["chunk", "microBatch"] as const).filter(
      (name) => fixed[name] === null && plan[name] > 1,
    );
    const own = largest!.what.startsWith("encoder") ? "microBatch" : "chunk";
    if (!shrinks.includes(own)) throw new Error(refusal(peak, rows, { device, config, resumed }));
    plan[own] = Math.ceil(plan[own] / 2);
  }
}

const largestBatch = ({ endToEnd, align, enhance }: RunConfig): number =>
  endToEnd ? enhance.batch : Math.max(enhance.batch, align.batch);

const bytesOf = (rows: readonly MemoryRow[], held: MemoryRow["held"]): number[] =>
  rows.filter((row) => row.held === held).map(({ bytes }) => bytes);

const sumOf = (bytes: readonly number[]): number => bytes.reduce((sum, each) => sum + each, 0);

const peakOf = (rows: readonly MemoryRow[]): number =>
  sumOf(bytesOf(rows, "always")) + Math.max(0, ...bytesOf(rows, "phase"));

/** Spare bytes of buffers, and free buffers that wait for the phase that needs them. */
function spareRow(rows: readonly MemoryRow[]): MemoryRow {
  const always = sumOf(bytesOf(rows, "always"));
  const phases = bytesOf(rows, "phase").map((bytes) => bufferSlack * bytes);
  const most = Math.min(keptBuffers * (always + Math.max(0, ...phases)), always + sumOf(phases));
  return { what: "buffers kept for other phases", bytes: most - peakOf(rows), held: "always" };
}

function memoryRows(
  { encoder, unet, vae, textEncoder, textEncoder2 }: ModelShapes,
  config: RunConfig,
  { chunk, microBatch, adapterValues }: { chunk: number; microBatch: number; adapterValues: number },
): MemoryRow[] {
  const frozen = config.storage === "float16" ? 2 : 4;
  const batch = largestBatch(config);
  const trained = adapterValues + projectorValues(encoder.featureSize, unet.config.cross_attention_dim);
  const pairs = batch * batch + batch;
  const always = (what: string, bytes: number): MemoryRow => ({ what, bytes, held: "always" });
  const phase = (what: string, values: number): MemoryRow => ({
    what,
    bytes: values * valueBytes,
    held: "phase",
  });
  const dropout = config.lora.dropout > 0;
  return [
    always("encoder's image tower", countWeights(encoder) * frozen),
    always("unet", countWeights(unet) * frozen),
    always("vae", countWeights(vae) * frozen),
    // Values, two moments, and the gradients of two losses.
    always("adapters, projector and their optimizer", trained * 5 * valueBytes),
    always(
      "predictions and their gradients",
      3 * pairs * latentSide({ encoder, vae }) ** 2 * vae.config.latent_channels * valueBytes,
    ),
    phase(
      "text encoder, until the empty prompt is encoded",
      ((countWeights(textEncoder) + (textEncoder2 ? countWeights(textEncoder2) : 0)) * frozen) / valueBytes,
    ),
    phase("vae, one image", vaeEncoderValues(vae.config.block_out_channels[0]!, encoder.imageSize)),
    phase(`unet with its gradient, ${chunk} predictions`, chunkValues({ encoder, vae, unet }, config, chunk)),
    phase(
      `encoder with its gradient, ${microBatch} images`,
      encoderBackwardValues(transformerSizes(encoder), {
        images: microBatch,
        dropout,
        checkpointing: config.memory.gradientCheckpointing,
      }),
    ),
  ];
}

const latentSide = ({ encoder, vae }: Pick<ModelShapes, "encoder" | "vae">): number =>
  encoder.imageSize / vae.factor;

/** float32 values that the gradient of `rows` predictions holds. */
const chunkValues = (
  shapes: Pick<ModelShapes, "encoder" | "vae" | "unet">,
  { memory }: Pick<RunConfig, "memory">,
  rows: number,
): number =>
  denoiserBackwardValues(shapes.unet.config, {
    rows,
    side: latentSide(shapes),
    checkpointing: memory.gradientCheckpointing,
  });

/** As many predictions as a gradient holds in `smallChunkBytes`. */
const largestSmallChunk = (shapes: ModelShapes, config: RunConfig): number =>
  Math.floor(smallChunkBytes / valueBytes / chunkValues(shapes, config, 1));

/** The sizes of an encoder's transformer, as CLIP's and SigLIP's settings name them. */
function transformerSizes(encoder: ModelShapes["encoder"]) {
  const own = (encoder as unknown as { config: Record<string, unknown> }).config;
  const settings = (own["vision_config"] ?? own) as Record<string, number>;
  const {
    hidden_size: width,
    intermediate_size: inner,
    num_hidden_layers: layers,
    patch_size: patch,
  } = settings;
  const tokens = (encoder.imageSize / patch!) ** 2 + 1;
  return { tokens, width: width!, inner: inner!, layers: layers! };
}

const projectorValues = (d: number, c: number): number => 2 * d + (d + 1) * c + (c + 1) * c;

function checkLargestWeight(
  shapes: ModelShapes,
  config: RunConfig,
  { largestTensor, name }: DeviceMemory,
): void {
  if (largestTensor === undefined) return;
  const bytes = config.storage === "float16" ? 2 : 4;
  for (const [model, { namedParameters }] of Object.entries(shapes) as [string, ModelShapes["unet"]][]) {
    for (const [weight, { shape }] of namedParameters.call(shapes[model as keyof ModelShapes])) {
      const size = shape.reduce((product, n) => product * n, bytes);
      if (size <= largestTensor) continue;
      throw new Error(
        `${model}: ${weight} takes ${formatBytes(size)}, and a tensor on ${name} at most ${formatBytes(largestTensor)}`,
      );
    }
  }
}

function refusal(
  peak: number,
  rows: readonly MemoryRow[],
  { device, config, resumed }: { device: DeviceMemory; config: RunConfig; resumed: boolean },
): string {
  const largest = [...rows].sort((a, b) => b.bytes - a.bytes).slice(0, 2);
  const parts = largest.map(({ what, bytes }) => `${what}: ${formatBytes(bytes)}`).join("; ");
  const advice = resumed
    ? "a run keeps its settings: end other programs that hold memory and try again, or start another run with a smaller --chunk and --micro-batch"
    : adviceTo(device, config);
  return `the run needs ${formatBytes(peak)} and ${device.name} has ${formatBytes(device.total!)} (${parts}); ${advice}`;
}

/** Changes by which a run that has not begun needs less memory. */
function adviceTo(device: DeviceMemory, config: RunConfig): string {
  const isWasm = device.name === "WebAssembly";
  const advice = [
    // Only WebGPU stores float16.
    device.largestTensor !== undefined &&
      !isWasm &&
      config.storage === "float32" &&
      "--storage float16 halves frozen weights",
    isWasm && "WebGPU has no such limit (--device webgpu, or software)",
    (config.memory.chunk !== null || config.memory.microBatch !== null) &&
      "--chunk and --micro-batch may be smaller",
    !config.memory.gradientCheckpointing && "--gradient-checkpointing needs less for gradients",
    "a smaller encoder or diffusion model needs less",
  ];
  return advice.filter(Boolean).join(", ");
}
