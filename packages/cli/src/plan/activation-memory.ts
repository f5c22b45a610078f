import type { UNet2DConditionModel } from "@dcr-js/diffusion";

/**
 * How many float32 values a pass holds at its peak, beside weights. The shapes of the formulas follow the models. Their factors say
 * how many tensors of a shape are held at once; they were counted on the full-size step of `benchmarks` and on small models, see the
 * test beside this file. (Not by `tf.memory().numBytes`, which counts a tensor again for each reshape and clone of it.)
 */

/** The sizes of a vision transformer. */
export interface TransformerSizes {
  tokens: number;
  width: number;
  inner: number;
  layers: number;
}

/** The encoder's backward pass to its adapters, for `images` images at once. With gradient checkpointing one layer at a time is held whole. */
export function encoderBackwardValues(
  { tokens, width, inner, layers }: TransformerSizes,
  { images, dropout, checkpointing = false }: { images: number; dropout: boolean; checkpointing?: boolean },
): number {
  // Each of the six linear layers has a LoRA. Dropout holds its input as dropped and as scaled.
  const dropped = dropout ? 2 * (5 * width + inner) : 0;
  const layer = 33.5 * width + 7 * inner + dropped;
  return images * tokens * (checkpointing ? layer + (10 + 2 * layers) * width : layers * layer);
}

/**
 * The denoiser's backward pass to its conditions, for `rows` predictions at once on latents of `side` x `side`. With gradient checkpointing one
 * block at a time is held whole, and of the others what they take and give.
 */
export function denoiserBackwardValues(
  config: UNet2DConditionModel["config"],
  { rows, side, checkpointing = false }: { rows: number; side: number; checkpointing?: boolean },
): number {
  const { resnets, attentions } = unetSizes(config, side);
  const blocks = [...resnets.map((size) => 15.5 * size), ...attentions.map((size) => 28.5 * size)];
  const sumOf = (sizes: readonly number[]) => sizes.reduce((sum, size) => sum + size, 0);
  if (!checkpointing) return rows * sumOf(blocks);
  return rows * (Math.max(...blocks) + 2 * sumOf(resnets));
}

/** The VAE's encoder, for one image of `size` x `size` pixels. */
export const vaeEncoderValues = (channels: number, size: number): number => 8 * channels * size ** 2;

/** Channels times pixels of each residual block's input and output, and of each attention block. */
function unetSizes(
  config: UNet2DConditionModel["config"],
  side: number,
): { resnets: number[]; attentions: number[] } {
  const { block_out_channels: widths, down_block_types: downs, up_block_types: ups } = config;
  const layers = config.layers_per_block;
  const layersOf = (block: number) => (typeof layers === "number" ? layers : (layers[block] ?? 1));
  const attends = (type: string) => type.startsWith("CrossAttn");
  const resnets: number[] = [];
  const attentions: number[] = [];
  let size = side;
  let channels = widths[0]!;
  const skips = [channels];
  const add = (into: number, out: number, attention: boolean) => {
    resnets.push(size ** 2 * (into + out));
    if (attention) attentions.push(size ** 2 * out);
    channels = out;
  };
  for (const [block, width] of widths.entries()) {
    for (let layer = 0; layer < layersOf(block); layer++) {
      add(channels, width, attends(downs[block]!));
      skips.push(width);
    }
    if (block === widths.length - 1) break;
    size = Math.ceil(size / 2);
    skips.push(width);
  }
  add(channels, channels, true);
  add(channels, channels, false);
  for (const [at, type] of ups.entries()) {
    const block = widths.length - 1 - at;
    for (let layer = 0; layer <= layersOf(block); layer++) {
      add(channels + skips.pop()!, widths[block]!, attends(type));
    }
    if (block > 0) size *= 2;
  }
  return { resnets, attentions };
}
