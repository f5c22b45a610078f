import { AutoencoderKL, UNet2DConditionModel } from "@dcr-js/diffusion";
import { CLIPVisionModelWithProjection } from "@dcr-js/encoders";

/** `"small"` has the true widths of the first levels and few layers: a try of a minute. */
export type Shapes = "full" | "small";

/** Width and number of tokens of Stable Diffusion 2's condition. */
export const [conditionTokens, conditionSize] = [77, 1024];

/** OpenAI's CLIP ViT-L/14 at 224 pixels with its projection, without weights. */
export const vitL14 = (shapes: Shapes): CLIPVisionModelWithProjection =>
  new CLIPVisionModelWithProjection({
    hidden_size: 1024,
    intermediate_size: 4096,
    num_hidden_layers: shapes === "full" ? 24 : 2,
    num_attention_heads: 16,
    image_size: 224,
    patch_size: 14,
    projection_dim: 768,
  });

/** The UNet of Stable Diffusion 2.1-base, without weights. */
export const stableDiffusion21UNet = (shapes: Shapes): UNet2DConditionModel =>
  new UNet2DConditionModel({
    cross_attention_dim: conditionSize,
    use_linear_projection: true,
    ...(shapes === "full"
      ? { attention_head_dim: [5, 10, 20, 20] }
      : {
          attention_head_dim: [5, 10],
          block_out_channels: [320, 640],
          layers_per_block: 1,
          down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
          up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
        }),
  });

/** Stable Diffusion's VAE, without weights. */
export const stableDiffusionVae = (shapes: Shapes): AutoencoderKL =>
  new AutoencoderKL({
    block_out_channels: shapes === "full" ? [128, 256, 512, 512] : [32, 32, 32, 32],
    down_block_types: Array(4).fill("DownEncoderBlock2D"),
    up_block_types: Array(4).fill("UpDecoderBlock2D"),
    layers_per_block: shapes === "full" ? 2 : 1,
  });
