import { Module } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { Downsample2D, ResnetBlock2D, type ResnetOptions, Upsample2D } from "../resnet.js";
import {
  type Condition,
  type EnteredTransformer,
  Transformer2DModel,
  type TransformerOptions,
} from "./attention.js";

/** What the transformers of one level share. */
export type LevelTransformer = Omit<TransformerOptions, "channels">;

/** diffusers' `DownBlock2D`, or `CrossAttnDownBlock2D` where it has transformers. */
export class DownBlock extends Module {
  readonly resnets: ResnetBlock2D[];
  readonly attentions?: Transformer2DModel[];
  readonly downsamplers?: [Downsample2D];

  constructor(
    inChannels: number,
    channels: number,
    options: { layers: number; resnet: ResnetOptions; transformer?: LevelTransformer; downsample: boolean },
  ) {
    super();
    const { layers, resnet, transformer, downsample } = options;
    this.resnets = Array.from(
      { length: layers },
      (_, i) => new ResnetBlock2D(i === 0 ? inChannels : channels, channels, resnet),
    );
    if (transformer) {
      this.attentions = Array.from(
        { length: layers },
        () => new Transformer2DModel({ channels, ...transformer }),
      );
    }
    if (downsample) this.downsamplers = [new Downsample2D(channels)];
  }

  /** The part of this level before its first cross-attention; run it inside `tf.tidy`. */
  enter(x: tf.Tensor4D, time: tf.Tensor2D): EnteredTransformer {
    return this.attentions![0].enter(this.resnets[0].forward(x, time));
  }

  /**
   * The rest of a level that was entered, or the whole of one that was not.
   * @returns the level's outputs for the skip connections, the last of which goes on to the next level.
   */
  forward(
    start: { x: tf.Tensor4D } | { entered: EnteredTransformer },
    time: tf.Tensor2D,
    condition?: Condition,
  ): tf.Tensor4D[] {
    const outputs: tf.Tensor4D[] = [];
    let x: tf.Tensor4D | undefined = "x" in start ? start.x : undefined;
    for (const [i, resnet] of this.resnets.entries()) {
      const attention = this.attentions?.[i];
      if (i === 0 && "entered" in start) x = attention!.finish(start.entered, condition!);
      else {
        x = resnet.forward(x!, time);
        if (attention) x = attention.forward(x, condition!);
      }
      outputs.push(x);
    }
    if (this.downsamplers) outputs.push(this.downsamplers[0].forward(outputs[outputs.length - 1]));
    return outputs;
  }
}

/** diffusers' `UNetMidBlock2DCrossAttn`. */
export class MidBlock extends Module {
  readonly resnets: [ResnetBlock2D, ResnetBlock2D];
  readonly attentions: [Transformer2DModel];

  constructor(channels: number, resnet: ResnetOptions, transformer: LevelTransformer) {
    super();
    this.resnets = [
      new ResnetBlock2D(channels, channels, resnet),
      new ResnetBlock2D(channels, channels, resnet),
    ];
    this.attentions = [new Transformer2DModel({ channels, ...transformer })];
  }

  forward(x: tf.Tensor4D, time: tf.Tensor2D, condition: Condition): tf.Tensor4D {
    const hidden = this.attentions[0].forward(this.resnets[0].forward(x, time), condition);
    return this.resnets[1].forward(hidden, time);
  }
}

/** diffusers' `UpBlock2D`, or `CrossAttnUpBlock2D` where it has transformers. */
export class UpBlock extends Module {
  readonly resnets: ResnetBlock2D[];
  readonly attentions?: Transformer2DModel[];
  readonly upsamplers?: [Upsample2D];

  /** @param skipChannels of each layer's skip connection, in the order they are consumed. */
  constructor(
    inChannels: number,
    channels: number,
    skipChannels: number[],
    options: { resnet: ResnetOptions; transformer?: LevelTransformer; upsample: boolean },
  ) {
    super();
    const { resnet, transformer, upsample } = options;
    this.resnets = skipChannels.map(
      (skip, i) => new ResnetBlock2D((i === 0 ? inChannels : channels) + skip, channels, resnet),
    );
    if (transformer) {
      this.attentions = skipChannels.map(() => new Transformer2DModel({ channels, ...transformer }));
    }
    if (upsample) this.upsamplers = [new Upsample2D(channels)];
  }

  /**
   * @param skips the stack of down outputs; this level takes its own from the end, and upsamples to the size of the one that is
   *   last then.
   */
  forward(x: tf.Tensor4D, skips: tf.Tensor4D[], time: tf.Tensor2D, condition: Condition): tf.Tensor4D {
    let hidden = x;
    for (const [i, resnet] of this.resnets.entries()) {
      hidden = resnet.forward(tf.concat([hidden, skips.pop()!], 3), time);
      if (this.attentions) hidden = this.attentions[i].forward(hidden, condition);
    }
    if (!this.upsamplers) return hidden;
    const [, height, width] = skips[skips.length - 1].shape;
    return this.upsamplers[0].forward(hidden, [height, width]);
  }
}
