import * as tf from "@tensorflow/tfjs-core";
import { checkPadding, conv2d, type Padding } from "../ops/conv2d.js";
import { groupNorm } from "../ops/group-norm.js";
import { layerNorm } from "../ops/layer-norm.js";
import { linear } from "../ops/linear.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { Module } from "./module.js";
import { type Initializer, Parameter } from "./parameter.js";

const ones: Initializer = (shape) => tf.ones(shape);

/** PyTorch's default for weights and biases of linear and convolution layers: U(-1/sqrt(fanIn), 1/sqrt(fanIn)). */
const uniformFanIn =
  (fanIn: number): Initializer =>
  (shape, random) =>
    random.uniform(shape, -1 / Math.sqrt(fanIn), 1 / Math.sqrt(fanIn));

function checkSizes(layer: string, sizes: Record<string, number>): void {
  for (const [name, size] of Object.entries(sizes))
    checkNumber(`${layer}: ${name}`, size, { min: 1, integer: true });
}

/** `y = x W^T + b`, `x` of shape `[..., inFeatures]`; `weight` is `[outFeatures, inFeatures]`. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: { bias?: boolean } = {},
  ) {
    super();
    const { bias = true } = checkOptions("Linear", options, { bias: "boolean" });
    checkSizes("Linear", { inFeatures, outFeatures });
    this.weight = new Parameter([outFeatures, inFeatures], { init: uniformFanIn(inFeatures) });
    if (bias) this.bias = new Parameter([outFeatures], { init: uniformFanIn(inFeatures) });
  }

  /** @param residual shaped as the result, which it is added to in the same pass. */
  forward<T extends tf.Tensor>(x: T, residual?: tf.Tensor): T {
    return linear(x, this.weight.value as tf.Tensor2D, this.bias?.value as tf.Tensor1D | undefined, residual);
  }
}

/** 2-D convolution over NHWC images; `weight` is HWIO in memory and OIHW in state dicts. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  private readonly geometry: { stride: number; padding: Padding };

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    options: { stride?: number; padding?: Padding; bias?: boolean } = {},
  ) {
    super();
    const {
      stride = 1,
      padding = 0,
      bias = true,
    } = checkOptions("Conv2d", options, { stride: true, padding: true, bias: "boolean" });
    checkSizes("Conv2d", { inChannels, outChannels, kernelSize, stride });
    checkPadding("Conv2d: padding", padding);
    const fanIn = inChannels * kernelSize * kernelSize;
    this.weight = new Parameter([kernelSize, kernelSize, inChannels, outChannels], {
      init: uniformFanIn(fanIn),
      layout: "OIHW",
    });
    if (bias) this.bias = new Parameter([outChannels], { init: uniformFanIn(fanIn) });
    this.geometry = { stride, padding };
  }

  /** @param residual added in the same pass; shaped as the result or `[batch, 1, 1, outChannels]`. */
  forward(x: tf.Tensor4D, residual?: tf.Tensor4D): tf.Tensor4D {
    return conv2d(x, this.weight.value as tf.Tensor4D, this.bias?.value as tf.Tensor1D | undefined, {
      ...this.geometry,
      residual,
    });
  }
}

/** Normalises the last axis. */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  private readonly epsilon: number;

  /** @param options `epsilon`: added to the variance, at least 0, default 1e-5. */
  constructor(dim: number, options: { epsilon?: number } = {}) {
    super();
    checkSizes("LayerNorm", { dim });
    this.epsilon = checkOptions("LayerNorm", options, { epsilon: true }).epsilon ?? 1e-5;
    checkNumber("LayerNorm: epsilon", this.epsilon, { min: 0 });
    this.weight = new Parameter([dim], { init: ones });
    this.bias = new Parameter([dim]);
  }

  forward<T extends tf.Tensor>(x: T): T {
    const { weight, bias, epsilon } = this;
    return layerNorm(x, weight.value as tf.Tensor1D, bias.value as tf.Tensor1D, { epsilon });
  }
}

/** Normalises groups of channels of NHWC images, with an optional SiLU in the same pass. */
export class GroupNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  private readonly epsilon: number;

  /** @param options `epsilon`: added to the variance, at least 0, default 1e-5. */
  constructor(
    private readonly groups: number,
    channels: number,
    options: { epsilon?: number } = {},
  ) {
    super();
    checkSizes("GroupNorm", { groups, channels });
    this.epsilon = checkOptions("GroupNorm", options, { epsilon: true }).epsilon ?? 1e-5;
    checkNumber("GroupNorm: epsilon", this.epsilon, { min: 0 });
    if (channels % groups !== 0) {
      throw new Error(`GroupNorm: channels (${channels}) must be a multiple of groups (${groups})`);
    }
    this.weight = new Parameter([channels], { init: ones });
    this.bias = new Parameter([channels]);
  }

  forward(x: tf.Tensor4D, activation?: "silu"): tf.Tensor4D {
    return groupNorm(x, this.weight.value as tf.Tensor1D, this.bias.value as tf.Tensor1D, {
      groups: this.groups,
      epsilon: this.epsilon,
      activation,
    });
  }
}

/** Rows of `weight` `[count, dim]` by int32 ids. */
export class Embedding extends Module {
  readonly weight: Parameter;

  constructor(count: number, dim: number) {
    super();
    checkSizes("Embedding", { count, dim });
    this.weight = new Parameter([count, dim], { init: (shape, random) => random.normal(shape) });
  }

  /** @param ids int32 of any shape. @returns `[...ids.shape, dim]`. @throws for another dtype, of which ids would be cut */
  forward(ids: tf.Tensor): tf.Tensor {
    if (!(ids instanceof tf.Tensor) || ids.dtype !== "int32") {
      const got = ids instanceof tf.Tensor ? `${ids.dtype} [${ids.shape}]` : describe(ids);
      throw new TypeError(`Embedding.forward: ids must be an int32 tensor, got ${got}`);
    }
    return tf.gather(this.weight.value, ids as tf.Tensor1D);
  }
}
