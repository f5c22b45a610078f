import { Conv2d, GroupNorm, Linear, Module, scaledDotProductAttention } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { Downsample2D, ResnetBlock2D, Upsample2D } from "../resnet.js";
import type { AutoencoderKLConfig } from "./vae-config.js";

/** Single-head self-attention over pixels. */
class AttentionBlock extends Module {
  readonly group_norm: GroupNorm;
  readonly to_q: Linear;
  readonly to_k: Linear;
  readonly to_v: Linear;
  readonly to_out: [Linear];

  constructor(channels: number, groups: number) {
    super();
    this.group_norm = new GroupNorm(groups, channels, { epsilon: 1e-6 });
    this.to_q = new Linear(channels, channels);
    this.to_k = new Linear(channels, channels);
    this.to_v = new Linear(channels, channels);
    this.to_out = [new Linear(channels, channels)];
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    const [batch, height, width, channels] = x.shape;
    const tokens = tf.reshape(this.group_norm.forward(x), [batch, height * width, channels]) as tf.Tensor3D;
    const attended = scaledDotProductAttention(
      this.to_q.forward(tokens),
      this.to_k.forward(tokens),
      this.to_v.forward(tokens),
      { heads: 1 },
    );
    return tf.reshape(this.to_out[0].forward(attended, tf.reshape(x, tokens.shape)), x.shape);
  }
}

/** diffusers' `UNetMidBlock2D` of an auto-encoder. */
class MidBlock extends Module {
  readonly attentions?: [AttentionBlock];
  readonly resnets: [ResnetBlock2D, ResnetBlock2D];

  constructor(channels: number, { norm_num_groups: groups, mid_block_add_attention }: AutoencoderKLConfig) {
    super();
    const resnet = () => new ResnetBlock2D(channels, channels, { groups, epsilon: 1e-6 });
    if (mid_block_add_attention) this.attentions = [new AttentionBlock(channels, groups)];
    this.resnets = [resnet(), resnet()];
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    const blocks = [this.resnets[0], ...(this.attentions ?? []), this.resnets[1]];
    return blocks.reduce((hidden, block) => this.runBlock((h) => block.forward(h), [hidden]), x);
  }
}

/** One resolution: diffusers' `DownEncoderBlock2D` or `UpDecoderBlock2D`. */
class Level extends Module {
  readonly resnets: ResnetBlock2D[];
  readonly downsamplers?: [Downsample2D];
  readonly upsamplers?: [Upsample2D];

  constructor(inChannels: number, channels: number, layers: number, groups: number, resize?: "down" | "up") {
    super();
    this.resnets = Array.from(
      { length: layers },
      (_, i) => new ResnetBlock2D(i === 0 ? inChannels : channels, channels, { groups, epsilon: 1e-6 }),
    );
    if (resize === "down") this.downsamplers = [new Downsample2D(channels, true)];
    if (resize === "up") this.upsamplers = [new Upsample2D(channels)];
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    let hidden = x;
    for (const resnet of this.resnets) hidden = this.runBlock((h) => resnet.forward(h), [hidden]);
    if (this.downsamplers) return this.downsamplers[0].forward(hidden);
    return this.upsamplers ? this.upsamplers[0].forward(hidden) : hidden;
  }
}

/** From images to the moments of the posterior, before `quant_conv`. */
export class Encoder extends Module {
  readonly conv_in: Conv2d;
  readonly down_blocks: Level[];
  readonly mid_block: MidBlock;
  readonly conv_norm_out: GroupNorm;
  readonly conv_out: Conv2d;

  constructor(config: AutoencoderKLConfig) {
    super();
    const { block_out_channels: widths, layers_per_block: layers, norm_num_groups: groups } = config;
    const last = widths.length - 1;
    this.conv_in = new Conv2d(config.in_channels, widths[0], 3, { padding: 1 });
    this.down_blocks = widths.map(
      (width, i) =>
        new Level(widths[Math.max(0, i - 1)], width, layers, groups, i < last ? "down" : undefined),
    );
    this.mid_block = new MidBlock(widths[last], config);
    this.conv_norm_out = new GroupNorm(groups, widths[last], { epsilon: 1e-6 });
    this.conv_out = new Conv2d(widths[last], 2 * config.latent_channels, 3, { padding: 1 });
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    let hidden = this.conv_in.forward(x);
    for (const block of this.down_blocks) hidden = block.forward(hidden);
    hidden = this.mid_block.forward(hidden);
    return this.conv_out.forward(this.conv_norm_out.forward(hidden, "silu"));
  }
}

/** From latents, after `post_quant_conv`, to images. */
export class Decoder extends Module {
  readonly conv_in: Conv2d;
  readonly mid_block: MidBlock;
  readonly up_blocks: Level[];
  readonly conv_norm_out: GroupNorm;
  readonly conv_out: Conv2d;

  constructor(config: AutoencoderKLConfig) {
    super();
    const { layers_per_block: layers, norm_num_groups: groups } = config;
    const widths = [...config.block_out_channels].reverse();
    const last = widths.length - 1;
    this.conv_in = new Conv2d(config.latent_channels, widths[0], 3, { padding: 1 });
    this.mid_block = new MidBlock(widths[0], config);
    this.up_blocks = widths.map(
      (width, i) =>
        new Level(widths[Math.max(0, i - 1)], width, layers + 1, groups, i < last ? "up" : undefined),
    );
    this.conv_norm_out = new GroupNorm(groups, widths[last], { epsilon: 1e-6 });
    this.conv_out = new Conv2d(widths[last], config.out_channels, 3, { padding: 1 });
  }

  forward(z: tf.Tensor4D): tf.Tensor4D {
    let hidden = this.mid_block.forward(this.conv_in.forward(z));
    for (const block of this.up_blocks) hidden = block.forward(hidden);
    return this.conv_out.forward(this.conv_norm_out.forward(hidden, "silu"));
  }
}
