import { LayerNorm, linear, Module, Parameter, scaledDotProductAttention } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { BypassedLinear } from "../bypassed-linear.js";
import { CLIPMLP, normalInitializer } from "../clip/clip-encoder.js";
import type { SiglipVisionConfig } from "./siglip-config.js";
import { initializeMLP, xavierUniform } from "./siglip-encoder.js";

/** PyTorch's `MultiheadAttention` of one query over tokens, with its packed weights. */
class SiglipPoolingAttention extends Module {
  readonly in_proj_weight: Parameter;
  readonly in_proj_bias: Parameter;
  readonly out_proj: BypassedLinear;

  constructor(
    private readonly width: number,
    private readonly heads: number,
  ) {
    super();
    this.in_proj_weight = new Parameter([3 * width, width], { init: xavierUniform });
    this.in_proj_bias = new Parameter([3 * width]);
    this.out_proj = new BypassedLinear(width, width, normalInitializer(width ** -0.5));
  }

  /** @param probe `[1, 1, width]`. @param tokens `[batch, tokens, width]`. @returns `[batch, 1, width]`. */
  forward(probe: tf.Tensor3D, tokens: tf.Tensor3D): tf.Tensor3D {
    const { width, heads } = this;
    return tf.tidy(() => {
      const project = (x: tf.Tensor3D, index: number) =>
        linear(
          x,
          tf.slice(this.in_proj_weight.value as tf.Tensor2D, [index * width, 0], [width, width]),
          tf.slice(this.in_proj_bias.value as tf.Tensor1D, [index * width], [width]),
        );
      const query = tf.tile(project(probe, 0), [tokens.shape[0], 1, 1]);
      const pooled = scaledDotProductAttention(query, project(tokens, 1), project(tokens, 2), { heads });
      const { weight, bias } = this.out_proj;
      return linear(pooled, weight.value as tf.Tensor2D, bias.value as tf.Tensor1D);
    });
  }
}

/**
 * SigLIP's attention pooling: one learned query attends to all tokens, followed by a residual perceptron (Zhai et al. 2022,
 * "Scaling vision transformers", section 3.2; transformers' `SiglipMultiheadAttentionPoolingHead`).
 */
export class SiglipPoolingHead extends Module {
  readonly probe: Parameter;
  readonly attention: SiglipPoolingAttention;
  readonly layernorm: LayerNorm;
  readonly mlp: CLIPMLP;

  constructor(config: SiglipVisionConfig) {
    super();
    const { hidden_size: width, num_attention_heads: heads } = config;
    this.probe = new Parameter([1, 1, width], { init: xavierUniform });
    this.attention = new SiglipPoolingAttention(width, heads);
    this.layernorm = new LayerNorm(width, { epsilon: config.layer_norm_eps });
    this.mlp = new CLIPMLP(config);
    initializeMLP(this.mlp);
  }

  /** @param tokens `[batch, tokens, width]`. @returns `[batch, width]`. */
  forward(tokens: tf.Tensor3D): tf.Tensor2D {
    return tf.tidy(() => {
      const pooled = this.attention.forward(this.probe.value as tf.Tensor3D, tokens);
      return tf.squeeze(this.mlp.forward(this.layernorm.forward(pooled), pooled), [1]);
    });
  }
}
