import { Conv2d, GroupNorm, Linear, Module, silu, upsampleNearest2d } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

export interface ResnetOptions {
  groups: number;
  epsilon: number;
  /** Width of the time embedding; none in the VAE. */
  timeChannels?: number;
  /** How the time embedding comes in: added before the second norm, or as a scale and a shift after it. Default `"default"`. */
  timeScaleShift?: "default" | "scale_shift";
}

/** diffusers' `ResnetBlock2D`: two norm-SiLU-convolution stages around a shortcut, the time embedding between them. */
export class ResnetBlock2D extends Module {
  readonly norm1: GroupNorm;
  readonly conv1: Conv2d;
  readonly time_emb_proj?: Linear;
  readonly norm2: GroupNorm;
  readonly conv2: Conv2d;
  readonly conv_shortcut?: Conv2d;
  private readonly scalesAndShifts: boolean;

  constructor(inChannels: number, outChannels: number, options: ResnetOptions) {
    super();
    const { groups, epsilon, timeChannels, timeScaleShift = "default" } = options;
    this.scalesAndShifts = timeChannels !== undefined && timeScaleShift === "scale_shift";
    this.norm1 = new GroupNorm(groups, inChannels, { epsilon });
    this.conv1 = new Conv2d(inChannels, outChannels, 3, { padding: 1 });
    if (timeChannels) {
      this.time_emb_proj = new Linear(timeChannels, this.scalesAndShifts ? 2 * outChannels : outChannels);
    }
    this.norm2 = new GroupNorm(groups, outChannels, { epsilon });
    this.conv2 = new Conv2d(outChannels, outChannels, 3, { padding: 1 });
    if (inChannels !== outChannels) this.conv_shortcut = new Conv2d(inChannels, outChannels, 1);
  }

  /** @param x `[batch, height, width, inChannels]`. @param time `[batch, timeChannels]`, before its SiLU. */
  forward(x: tf.Tensor4D, time?: tf.Tensor2D): tf.Tensor4D {
    return tf.tidy(() => {
      const normed = this.norm1.forward(x, "silu");
      const shortcut = this.conv_shortcut ? this.conv_shortcut.forward(x) : x;
      const projected = time && this.time_emb_proj?.forward(silu(time));
      const perChannel = projected && (tf.reshape(projected, [projected.shape[0], 1, 1, -1]) as tf.Tensor4D);
      if (this.scalesAndShifts) {
        const [scale, shift] = tf.split(perChannel!, 2, 3) as [tf.Tensor4D, tf.Tensor4D];
        const hidden = this.norm2.forward(this.conv1.forward(normed));
        const moved = tf.add(tf.mul(hidden, tf.add(scale, 1)), shift) as tf.Tensor4D;
        return this.conv2.forward(silu(moved), shortcut);
      }
      const hidden = this.conv1.forward(normed, perChannel);
      return this.conv2.forward(this.norm2.forward(hidden, "silu"), shortcut);
    });
  }
}

/** Halves height and width by a strided convolution: an odd length n becomes (n + 1) / 2, or (n - 1) / 2 where it is asymmetric. */
export class Downsample2D extends Module {
  readonly conv: Conv2d;

  /** @param asymmetric pads right and bottom only, as the VAE's encoder does. */
  constructor(channels: number, asymmetric = false) {
    super();
    const padding = asymmetric
      ? ([
          [0, 1],
          [0, 1],
        ] as const)
      : 1;
    this.conv = new Conv2d(channels, channels, 3, { stride: 2, padding });
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    return this.conv.forward(x);
  }
}

/** Doubles height and width, then convolves. */
export class Upsample2D extends Module {
  readonly conv: Conv2d;

  constructor(channels: number) {
    super();
    this.conv = new Conv2d(channels, channels, 3, { padding: 1 });
  }

  /**
   * @param size the result's height and width: twice those of x (default), or one less in either direction, because
   *   `Downsample2D` takes an odd length and an even one to the same half.
   */
  forward(x: tf.Tensor4D, size: [number, number] = [2 * x.shape[1], 2 * x.shape[2]]): tf.Tensor4D {
    return tf.tidy(() => this.conv.forward(cropTo(upsampleNearest2d(x), size)));
  }
}

/**
 * Keeps the first rows and columns. After a nearest upsampling by two this equals an interpolation to `size`, as diffusers
 * computes it: for an output length of 2n - 1, `floor(i n / (2n - 1)) = floor(i / 2)` at each index i.
 */
function cropTo(x: tf.Tensor4D, [height, width]: [number, number]): tf.Tensor4D {
  const [batch, fullHeight, fullWidth, channels] = x.shape;
  if (height === fullHeight && width === fullWidth) return x;
  return tf.slice(x, [0, 0, 0, 0], [batch, height, width, channels]);
}
