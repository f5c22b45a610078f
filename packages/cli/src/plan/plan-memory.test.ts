import { AutoencoderKL, CLIPTextModel, UNet2DConditionModel } from "@dcr-js/diffusion";
import { CLIPVisionModelWithProjection } from "@dcr-js/encoders";
import { describe, expect, it } from "vitest";
import { defaultConfig, type RunConfig } from "../config/run-config.js";
import { countWeights, type ModelShapes } from "../models/model-shapes.js";
import { planMemory } from "./plan-memory.js";

const GiB = 2 ** 30;

/** OpenAI's ViT-L/14 with Stable Diffusion 2.1-base, as their config.json have them; without weights. */
const paper: ModelShapes = {
  encoder: new CLIPVisionModelWithProjection({
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    image_size: 224,
    patch_size: 14,
    projection_dim: 768,
  }),
  unet: new UNet2DConditionModel({
    sample_size: 64,
    block_out_channels: [320, 640, 1280, 1280],
    layers_per_block: 2,
    down_block_types: [...Array(3).fill("CrossAttnDownBlock2D"), "DownBlock2D"],
    up_block_types: ["UpBlock2D", ...Array(3).fill("CrossAttnUpBlock2D")],
    cross_attention_dim: 1024,
    attention_head_dim: [5, 10, 20, 20],
    use_linear_projection: true,
  }),
  vae: new AutoencoderKL({
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array(4).fill("DownEncoderBlock2D"),
    up_block_types: Array(4).fill("UpDecoderBlock2D"),
    layers_per_block: 2,
  }),
  textEncoder: new CLIPTextModel({
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: 23,
    num_attention_heads: 16,
    vocab_size: 49408,
    max_position_embeddings: 77,
  }),
};
/** A tiny UNet on latents of 8 x 8. */
const tiny: ModelShapes = {
  ...paper,
  encoder: new CLIPVisionModelWithProjection({ image_size: 64, patch_size: 16 }),
  unet: new UNet2DConditionModel({
    block_out_channels: [32, 64],
    layers_per_block: 1,
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    cross_attention_dim: 64,
    attention_head_dim: 8,
  }),
};
/** Rank 16 on the six layers of each of ViT-L/14's 24 blocks, and their biases: 24 (4 (16 * 2048 + 1024) + 2 * 16 * 5120 + 5120). */
const adapters = { adapterValues: 7_299_072 };
const config: RunConfig = { ...defaultConfig, encoder: "clip", diffusion: "sd", images: "images" };

it("countWeights knows the published counts", () => {
  // From the models' own checkpoints.
  expect(countWeights(paper.unet)).toBe(865_910_724);
  expect(countWeights(paper.vae)).toBe(83_653_863);
  expect(countWeights(paper.textEncoder)).toBe(340_387_840);
});

describe("planMemory", () => {
  it("takes the usual sizes where nobody knows the device's memory", () => {
    const { chunk, microBatch, rows, peak } = planMemory(paper, config, { name: "a GPU" }, adapters);
    expect([chunk, microBatch]).toEqual([16, 8]);
    expect(rows.find(({ what }) => what === "unet")?.bytes).toBe(4 * 865_910_724);
    const always = rows.filter(({ held }) => held === "always").reduce((sum, { bytes }) => sum + bytes, 0);
    const phases = rows.filter(({ held }) => held === "phase").map(({ bytes }) => bytes);
    expect(peak).toBe(always + Math.max(...phases));
  });

  it("takes as many predictions of a small model as fit into 512 MiB, and no more than there are", () => {
    const chunkOf = (batch: number) => {
      const settings = {
        ...config,
        enhance: { ...config.enhance, batch },
        align: { ...config.align, batch },
      };
      const { chunk, rows } = planMemory(tiny, settings, { name: "a GPU" }, adapters);
      return { chunk, bytes: rows.find(({ what }) => what.startsWith("unet with its gradient"))!.bytes };
    };
    expect(chunkOf(4).chunk).toBe(4 * 4 + 4);
    const { chunk, bytes } = chunkOf(64);
    expect(chunk).toBeGreaterThan(16);
    expect(chunk).toBeLessThan(64 * 64 + 64);
    expect(bytes).toBeLessThanOrEqual(512 * 2 ** 20);
    expect((bytes * (chunk + 1)) / chunk).toBeGreaterThan(512 * 2 ** 20);
  });

  it("shrinks the phase that does not fit, down to one", () => {
    let before = { chunk: 16, microBatch: 8 };
    for (const total of [80, 40, 24, 16].map((size) => size * GiB)) {
      const plan = planMemory(paper, config, { name: "a GPU", total }, adapters);
      expect(plan.peak).toBeLessThanOrEqual(total);
      expect(plan.chunk).toBeLessThanOrEqual(before.chunk);
      expect(plan.microBatch).toBeLessThanOrEqual(before.microBatch);
      before = plan;
    }
    expect(before.chunk).toBeLessThan(16);
  });

  it("refuses what cannot fit, with advice", () => {
    const wasm = { name: "WebAssembly", total: 4 * GiB, largestTensor: 2 * GiB };
    expect(() => planMemory(paper, config, wasm, adapters)).toThrow(
      /^the run needs [\d.]+ GiB and WebAssembly has 4 GiB \(.*unet.*\); WebGPU has no such limit \(--device webgpu, or software\), --gradient-checkpointing needs less for gradients, a smaller/,
    );
    const gpu = { name: "a GPU", total: 6 * GiB, largestTensor: 2 * GiB };
    expect(() => planMemory(paper, config, gpu, adapters)).toThrow(/--storage float16 halves frozen weights/);
  });

  it("is near the memory that a full-size step of two images took on software WebGPU", () => {
    const batch = 2;
    const settings: RunConfig = {
      ...config,
      storage: "float16",
      enhance: { ...config.enhance, batch },
      align: { ...config.align, batch },
      memory: { chunk: 4, microBatch: 1, gradientCheckpointing: false },
    };
    const { peak } = planMemory(paper, settings, { name: "llvmpipe", keepsBuffers: true }, adapters);
    // The device's buffers by `npm run full-size-step -w benchmarks`; see benchmarks/README.md.
    const measured = 6673 * 2 ** 20;
    expect(peak / measured).toBeGreaterThan(1);
    expect(peak / measured).toBeLessThan(1.3);
  });

  it("leaves sizes that the user set", () => {
    const set = { ...config, memory: { ...config.memory, chunk: 48 } };
    expect(planMemory(paper, set, { name: "a GPU" }, adapters).chunk).toBe(48);
    expect(() => planMemory(paper, set, { name: "a GPU", total: 12 * GiB }, adapters)).toThrow(
      /--chunk and --micro-batch may be smaller/,
    );
    // A run that goes on cannot change them.
    expect(() =>
      planMemory(paper, set, { name: "a GPU", total: 12 * GiB }, { ...adapters, resumed: true }),
    ).toThrow(
      /\); a run keeps its settings: end other programs that hold memory and try again, or start another run with a smaller --chunk and --micro-batch$/,
    );
  });

  it("holds a block at a time with gradient checkpointing, and advises it", () => {
    const checkpointed = { ...config, memory: { ...config.memory, gradientCheckpointing: true } };
    const phase = (settings: RunConfig, what: string) => {
      const { rows } = planMemory(paper, settings, { name: "a GPU" }, adapters);
      return rows.find((row) => row.what.startsWith(what))!;
    };
    for (const what of ["unet with its gradient", "encoder with its gradient"]) {
      const [plain, less] = [phase(config, what), phase(checkpointed, what)];
      expect(less.what).toBe(plain.what);
      expect(less.bytes).toBeLessThan(plain.bytes / 2);
    }
    const total = 5 * GiB;
    expect(() => planMemory(paper, config, { name: "a GPU", total }, adapters)).toThrow(
      /--gradient-checkpointing needs less for gradients/,
    );
    expect(() => planMemory(paper, checkpointed, { name: "a GPU", total }, adapters)).toThrow(
      /\); a smaller encoder or diffusion model needs less$/,
    );
  });

  it("names a weight that no tensor of the device holds", () => {
    expect(() => planMemory(paper, config, { name: "a GPU", largestTensor: 2 ** 27 }, adapters)).toThrow(
      /^textEncoder: text_model\.embeddings\.token_embedding\.weight takes 193 MiB, and a tensor on a GPU at most 128 MiB$/,
    );
  });
});
