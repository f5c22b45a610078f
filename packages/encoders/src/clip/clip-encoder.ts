import {
  gelu,
  type Initializer,
  LayerNorm,
  Linear,
  Module,
  MultiHeadAttention,
  type Parameter,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { checkOptions } from "../shared/check-options.js";
import type { CLIPEncoderConfig } from "./clip-config.js";

const geluVariants = {
  quick_gelu: "quick",
  gelu: "erf",
  gelu_new: "tanh",
  gelu_pytorch_tanh: "tanh",
} as const;

/** Draws from N(0, std^2). */
export function normalInitializer(std: number): Initializer {
  return (shape, random) =>
    tf.tidy(() => {
      const sample = random.normal(shape);
      return tf.mul(sample, std);
    });
}

/** Has `initialize` fill a layer as transformers does for CLIP: N(0, std^2) weights and zero biases. */
export function initializeNormal(layer: { weight: Parameter; bias?: Parameter }, std: number): void {
  layer.weight.options.init = normalInitializer(std);
  if (layer.bias) layer.bias.options.init = undefined;
}

/** Multi-head self-attention of CLIP (Radford et al. 2021), initialised as transformers does. */
export class CLIPAttention extends MultiHeadAttention {
  constructor(config: CLIPEncoderConfig) {
    const width = config.hidden_size;
    super(width, { heads: config.num_attention_heads });
    const std = width ** -0.5;
    const depthScale = (2 * config.num_hidden_layers) ** -0.5;
    for (const layer of [this.q_proj, this.k_proj, this.v_proj]) initializeNormal(layer, std * depthScale);
    initializeNormal(this.out_proj, std);
  }
}

/** The two-layer perceptron of a CLIP layer. */
export class CLIPMLP extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;
  private readonly variant: "erf" | "tanh" | "quick";

  constructor(config: CLIPEncoderConfig) {
    super();
    const { hidden_size: width, intermediate_size: inner } = config;
    this.variant = geluVariants[config.hidden_act];
    this.fc1 = new Linear(width, inner);
    this.fc2 = new Linear(inner, width);
    initializeNormal(this.fc1, (2 * width) ** -0.5);
    initializeNormal(this.fc2, width ** -0.5 * (2 * config.num_hidden_layers) ** -0.5);
  }

  /** @param hiddenStates `[batch, tokens, width]`. @param residual added to the result. @returns the same shape. */
  forward(hiddenStates: tf.Tensor3D, residual?: tf.Tensor3D): tf.Tensor3D {
    return tf.tidy(() => this.fc2.forward(gelu(this.fc1.forward(hiddenStates), this.variant), residual));
  }
}

/** One pre-norm transformer layer: `x += attention(norm(x))`, then `x += mlp(norm(x))`. */
export class CLIPEncoderLayer extends Module {
  readonly self_attn: CLIPAttention;
  readonly layer_norm1: LayerNorm;
  readonly mlp: CLIPMLP;
  readonly layer_norm2: LayerNorm;

  constructor(config: CLIPEncoderConfig) {
    super();
    this.self_attn = new CLIPAttention(config);
    this.layer_norm1 = new LayerNorm(config.hidden_size, { epsilon: config.layer_norm_eps });
    this.mlp = new CLIPMLP(config);
    this.layer_norm2 = new LayerNorm(config.hidden_size, { epsilon: config.layer_norm_eps });
  }

  /** @param hiddenStates `[batch, tokens, width]`. @returns the same shape. */
  forward(hiddenStates: tf.Tensor3D, causal: boolean): tf.Tensor3D {
    return tf.tidy(() => {
      const x = this.self_attn.forward(this.layer_norm1.forward(hiddenStates), {
        causal,
        residual: hiddenStates,
      });
      return this.mlp.forward(this.layer_norm2.forward(x), x);
    });
  }
}

/** The stack of layers that both of CLIP's towers are made of. */
export class CLIPEncoder extends Module {
  readonly layers: CLIPEncoderLayer[];

  constructor(private readonly config: CLIPEncoderConfig) {
    super();
    this.layers = Array.from({ length: config.num_hidden_layers }, () => new CLIPEncoderLayer(config));
  }

  /** @throws where the settings have attention dropout, which is not computed: features without it are those of evaluation alone */
  override train(mode = true): this {
    const { attention_dropout: rate } = this.config;
    if (mode && rate > 0) {
      throw new Error(
        `${this.constructor.name}.train: attention_dropout must be 0 to train, got ${rate}; set it to 0 in config.json to train without it`,
      );
    }
    return super.train(mode);
  }

  /**
   * @param hiddenStates `[batch, tokens, width]`
   * @param options causal: for text true, for images false (the default)
   * @returns `[batch, tokens, width]`, before any final norm
   */
  forward(hiddenStates: tf.Tensor3D, options: { causal?: boolean } = {}): tf.Tensor3D {
    const { causal = false } = checkOptions("CLIPEncoder.forward", options, { causal: "boolean" });
    return tf.tidy(() =>
      this.layers.reduce((x, layer) => this.runBlock((x) => layer.forward(x, causal), [x]), hiddenStates),
    );
  }
}
