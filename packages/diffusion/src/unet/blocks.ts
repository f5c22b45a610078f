import { Module } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { Downsample2D, ResnetBlock2D, type ResnetOptions, Upsample2D } from "../resnet.js";
import {
  type Condition,
  type EnteredTransformer,
  Transformer2DModel,
  type TransformerOptions,
} from "./attention.js";

/** Settings that the transformers of one level share. */
export type LevelTransformer = Omit<TransformerOptions, "channels">;

/**
 * A block of resnets and transformers. Each resnet and each transformer is one block of gradient checkpointing, as in diffusers:
 * whole levels would hold several times the intermediates in the backward pass.
 */
abstract class UNetBlock extends Module {
  protected runResnet(resnet: ResnetBlock2D, x: tf.Tensor4D, time: tf.Tensor2D): tf.Tensor4D {
    return this.runBlock((x, time) => resnet.forward(x, time), [x, time]);
  }

  protected runTransformer(attention: Transformer2DModel, x: tf.Tensor4D, condition: Condition): tf.Tensor4D {
    return this.runBlock(
      (x: tf.Tensor4D, ...rest: tf.Tensor[]) => attention.forward(x, conditionOf(rest)),
      [x, ...tensorsOf(condition)],
    );
  }

  protected finishTransformer(
    attention: Transformer2DModel,
    { tokens, residual }: EnteredTransformer,
    condition: Condition,
  ): tf.Tensor4D {
    return this.runBlock(
      (tokens: tf.Tensor3D, residual: tf.Tensor4D, ...rest: tf.Tensor[]) =>
        attention.finish({ tokens, residual }, conditionOf(rest)),
      [tokens, residual, ...tensorsOf(condition)],
    );
  }
}

function tensorsOf({ encoderHiddenStates, additive }: Condition): tf.Tensor[] {
  return additive ? [encoderHiddenStates, additive] : [encoderHiddenStates];
}

function conditionOf([encoderHiddenStates, additive]: tf.Tensor[]): Condition {
  return { encoderHiddenStates: encoderHiddenStates as tf.Tensor3D, additive: additive as tf.Tensor2D };
}

/** diffusers' `DownBlock2D`, or `CrossAttnDownBlock2D` where it has transformers. */
export class DownBlock extends UNetBlock {
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

  /** The part of this level before its first use of the condition; run it inside `tf.tidy`. */
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
      if (i === 0 && "entered" in start) x = this.finishTransformer(attention!, start.entered, condition!);
      else {
        x = this.runResnet(resnet, x!, time);
        if (attention) x = this.runTransformer(attention, x, condition!);
      }
      outputs.push(x);
    }
    if (this.downsamplers) outputs.push(this.downsamplers[0].forward(outputs[outputs.length - 1]));
    return outputs;
  }
}

/** diffusers' `UNetMidBlock2DCrossAttn`. */
export class MidBlock extends UNetBlock {
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
    const hidden = this.runTransformer(
      this.attentions[0],
      this.runResnet(this.resnets[0], x, time),
      condition,
    );
    return this.runResnet(this.resnets[1], hidden, time);
  }
}

/** diffusers' `UpBlock2D`, or `CrossAttnUpBlock2D` where it has transformers. */
export class UpBlock extends UNetBlock {
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
   * @param skips the stack of down outputs. This level takes its own from the end, and upsamples to the size of the one that is
   *   last then.
   */
  forward(x: tf.Tensor4D, skips: tf.Tensor4D[], time: tf.Tensor2D, condition: Condition): tf.Tensor4D {
    let hidden = x;
    for (const [i, resnet] of this.resnets.entries()) {
      hidden = this.runBlock(
        (hidden, skip, time) => resnet.forward(tf.concat([hidden, skip], 3), time),
        [hidden, skips.pop()!, time],
      );
      if (this.attentions) hidden = this.runTransformer(this.attentions[i], hidden, condition);
    }
    if (!this.upsamplers) return hidden;
    const [, height, width] = skips[skips.length - 1].shape;
    return this.upsamplers[0].forward(hidden, [height, width]);
  }
}
