import * as tf from "@tensorflow/tfjs-core";
import { scaledDotProductAttention } from "../ops/attention.js";
import { checkOptions } from "../shared/check-options.js";
import { Linear } from "./layers.js";
import { Module } from "./module.js";

export interface MultiHeadAttentionOptions {
  /** Number of heads; divides `width`. */
  heads: number;
  /** Width of the tokens that keys and values are made of. Default `width`. */
  contextWidth?: number;
}

/**
 * Multi-head attention (Vaswani et al. 2017, section 3.2.2), `Concat(head_1, ..., head_H) W_O`, with the names of Hugging
 * Face's CLIP: `q_proj`, `k_proj`, `v_proj`, `out_proj`.
 */
export class MultiHeadAttention extends Module {
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly out_proj: Linear;
  readonly heads: number;

  constructor(width: number, options: MultiHeadAttentionOptions) {
    super();
    const { heads, contextWidth = width } = checkOptions("MultiHeadAttention", options, {
      heads: true,
      contextWidth: true,
    });
    if (!Number.isInteger(heads) || heads < 1 || width % heads !== 0) {
      throw new Error(`MultiHeadAttention: heads must divide width (${width}), got ${heads}`);
    }
    this.heads = heads;
    this.q_proj = new Linear(width, width);
    this.k_proj = new Linear(contextWidth, width);
    this.v_proj = new Linear(contextWidth, width);
    this.out_proj = new Linear(width, width);
  }

  /**
   * @param x `[batch, tokens, width]`, which the queries are made of.
   * @param options `context`: `[batch or 1, keys, contextWidth]`, by default `x`; `causal`: whether a token sees only itself
   * and those before it, default false; `residual`: shaped as the result, which it is added to.
   * @returns `[batch, tokens, width]`; the caller disposes it.
   */
  forward(
    x: tf.Tensor3D,
    options: { context?: tf.Tensor3D; causal?: boolean; residual?: tf.Tensor3D } = {},
  ): tf.Tensor3D {
    const {
      context = x,
      causal = false,
      residual,
    } = checkOptions("MultiHeadAttention.forward", options, {
      context: true,
      causal: "boolean",
      residual: true,
    });
    return tf.tidy(() => {
      const query = this.q_proj.forward(x);
      const key = this.k_proj.forward(context);
      const value = this.v_proj.forward(context);
      return this.out_proj.forward(
        scaledDotProductAttention(query, key, value, { heads: this.heads, causal }),
        residual,
      );
    });
  }
}
