import {
  Conv2d,
  GroupNorm,
  geglu,
  LayerNorm,
  Linear,
  Module,
  scaledDotProductAttention,
} from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/** The text, or the feature, that the cross-attentions attend to. */
export interface Condition {
  /** Text hidden states, `[batch or 1, tokens, crossAttentionDim]`; a batch of 1 serves every row. */
  encoderHiddenStates: tf.Tensor3D;
  /**
   * `[batch, crossAttentionDim]`: a vector that is added to every token. Keys have no bias and attention weights sum to one, so
   * the vector's share of the scores cancels in the softmax, and `CrossAttn(x, u + h) = CrossAttn(x, u) + W_o W_v h` exactly. The
   * keys and values of the tokens then serve all rows.
   */
  additive?: tf.Tensor2D;
}

/** diffusers' `Attention`: multi-head attention without biases on query, key and value. */
class Attention extends Module {
  readonly to_q: Linear;
  readonly to_k: Linear;
  readonly to_v: Linear;
  readonly to_out: [Linear];
  private readonly heads: number;

  constructor(width: number, contextWidth: number, heads: number) {
    super();
    this.heads = heads;
    this.to_q = new Linear(width, width, { bias: false });
    this.to_k = new Linear(contextWidth, width, { bias: false });
    this.to_v = new Linear(contextWidth, width, { bias: false });
    this.to_out = [new Linear(width, width)];
  }

  /** @param residual added to the result. */
  forward(x: tf.Tensor3D, residual: tf.Tensor3D, condition?: Condition): tf.Tensor3D {
    const context = condition?.encoderHiddenStates ?? x;
    let hidden = scaledDotProductAttention(
      this.to_q.forward(x),
      this.to_k.forward(context),
      this.to_v.forward(context),
      { heads: this.heads },
    );
    if (condition?.additive) hidden = tf.add(hidden, tf.expandDims(this.to_v.forward(condition.additive), 1));
    return this.to_out[0].forward(hidden, residual);
  }
}

/** Linear to twice the width, one half gating the other by GELU (Shazeer 2020). */
class GEGLU extends Module {
  readonly proj: Linear;

  constructor(width: number, innerWidth: number) {
    super();
    this.proj = new Linear(width, innerWidth * 2);
  }

  forward(x: tf.Tensor3D): tf.Tensor3D {
    return geglu(this.proj.forward(x));
  }
}

class FeedForward extends Module {
  /** Index 1 is diffusers' dropout, which has no weights and is off in every released model. */
  readonly net: [GEGLU, null, Linear];

  constructor(width: number) {
    super();
    this.net = [new GEGLU(width, width * 4), null, new Linear(width * 4, width)];
  }

  /** @param residual added to the result. */
  forward(x: tf.Tensor3D, residual: tf.Tensor3D): tf.Tensor3D {
    return this.net[2].forward(this.net[0].forward(x), residual);
  }
}

class BasicTransformerBlock extends Module {
  readonly norm1: LayerNorm;
  readonly attn1: Attention;
  readonly norm2: LayerNorm;
  readonly attn2: Attention;
  readonly norm3: LayerNorm;
  readonly ff: FeedForward;

  constructor(
    width: number,
    { crossAttentionDim, heads, onlyCrossAttention }: Omit<TransformerOptions, "channels">,
  ) {
    super();
    this.norm1 = new LayerNorm(width);
    this.attn1 = new Attention(width, onlyCrossAttention ? crossAttentionDim : width, heads);
    this.norm2 = new LayerNorm(width);
    this.attn2 = new Attention(width, crossAttentionDim, heads);
    this.norm3 = new LayerNorm(width);
    this.ff = new FeedForward(width);
  }

  /** The first attention: to the tokens themselves, or to the condition where it is given. */
  attendFirst(x: tf.Tensor3D, condition?: Condition): tf.Tensor3D {
    return this.attn1.forward(this.norm1.forward(x), x, condition);
  }

  /** The attention to the condition, and the feed-forward. */
  attendSecond(x: tf.Tensor3D, condition: Condition): tf.Tensor3D {
    const attended = this.attn2.forward(this.norm2.forward(x), x, condition);
    return this.ff.forward(this.norm3.forward(attended), attended);
  }
}

export interface TransformerOptions {
  channels: number;
  crossAttentionDim: number;
  heads: number;
  layers: number;
  groups: number;
  /** Whether the first attention of each layer is to the condition too. */
  onlyCrossAttention: boolean;
  /** Whether the outer projections are linear maps of tokens (SD 2.x) or 1 x 1 convolutions (SD 1.x). */
  linearProjection: boolean;
}

/** The tokens that meet the condition for the first time, and the image that the transformer's result is added to. */
export interface EnteredTransformer {
  tokens: tf.Tensor3D;
  residual: tf.Tensor4D;
}

/** diffusers' `Transformer2DModel`, in two halves: before the first use of the condition, and the rest. */
export class Transformer2DModel extends Module {
  readonly norm: GroupNorm;
  readonly proj_in: Conv2d | Linear;
  readonly transformer_blocks: BasicTransformerBlock[];
  readonly proj_out: Conv2d | Linear;
  private readonly onlyCrossAttention: boolean;

  constructor(options: TransformerOptions) {
    super();
    const { channels, layers, groups, linearProjection, onlyCrossAttention } = options;
    const projection = () =>
      linearProjection ? new Linear(channels, channels) : new Conv2d(channels, channels, 1);
    this.onlyCrossAttention = onlyCrossAttention;
    this.norm = new GroupNorm(groups, channels, { epsilon: 1e-6 });
    this.proj_in = projection();
    this.transformer_blocks = Array.from(
      { length: layers },
      () => new BasicTransformerBlock(channels, options),
    );
    this.proj_out = projection();
  }

  /** Run it inside `tf.tidy`. */
  enter(x: tf.Tensor4D): EnteredTransformer {
    const [batch, height, width, channels] = x.shape;
    const projected = this.proj_in.forward(this.norm.forward(x));
    const tokens = tf.reshape(projected, [batch, height * width, channels]) as tf.Tensor3D;
    const [first] = this.transformer_blocks;
    return { tokens: this.onlyCrossAttention ? tokens : first.attendFirst(tokens), residual: x };
  }

  finish({ tokens, residual }: EnteredTransformer, condition: Condition): tf.Tensor4D {
    return tf.tidy(() => {
      let hidden = tokens;
      for (const [i, block] of this.transformer_blocks.entries()) {
        if (this.onlyCrossAttention) hidden = block.attendFirst(hidden, condition);
        else if (i > 0) hidden = block.attendFirst(hidden);
        hidden = block.attendSecond(hidden, condition);
      }
      return this.proj_out.forward(tf.reshape(hidden, residual.shape), residual);
    });
  }

  forward(x: tf.Tensor4D, condition: Condition): tf.Tensor4D {
    return tf.tidy(() => this.finish(this.enter(x), condition));
  }
}
