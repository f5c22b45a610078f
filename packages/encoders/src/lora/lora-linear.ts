import { dropout, Linear, type Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/** How the branch of one layer is made. */
export interface LoRALinearOptions {
  /** Rank of the update. */
  rank: number;
  /** Factor on the branch. */
  scaling: number;
  /** Probability to drop an input of the branch while training. */
  dropout: number;
  /** Source of the dropout masks. */
  random: Random;
}

/**
 * A Linear with a low-rank branch (Hu et al. 2022, equation 3): `y = x W^T + b + scaling dropout(x) A^T B^T`.
 * Weight and bias are those of the layer it replaces, under the same names; the factors are `lora_A.weight`
 * `[rank, in]` and `lora_B.weight` `[out, rank]`. They are float32 also where the weight is stored as float16.
 */
export class LoRALinear extends Linear {
  readonly lora_A: Linear;
  readonly lora_B: Linear;
  /** Factor on the branch. */
  readonly scaling: number;
  /** Probability to drop an input of the branch while training. */
  readonly dropout: number;
  // Private fields, so that they are not walked as parts of the model.
  readonly #base: Linear;
  readonly #random: Random;
  #merged = false;

  /** @param base the layer to adapt. @param options see {@link LoRALinearOptions}. */
  constructor(base: Linear, options: LoRALinearOptions) {
    super(base.inFeatures, base.outFeatures, { bias: base.bias !== undefined });
    Object.assign(this, { weight: base.weight, bias: base.bias, training: base.training });
    const { rank, scaling, dropout, random } = options;
    this.scaling = scaling;
    this.dropout = dropout;
    this.lora_A = new Linear(base.inFeatures, rank, { bias: false });
    this.lora_B = new Linear(rank, base.outFeatures, { bias: false });
    this.lora_B.weight.options.init = undefined;
    this.#base = base;
    this.#random = random;
  }

  override get isAdapter(): boolean {
    return true;
  }

  /** The layer that this one replaces. */
  get base(): Linear {
    return this.#base;
  }

  /** Whether the update is in the weight, and the branch is out of use. */
  get merged(): boolean {
    return this.#merged;
  }

  override forward<T extends tf.Tensor>(x: T, residual?: tf.Tensor): T {
    if (this.#merged) return super.forward(x, residual);
    return tf.tidy(() => {
      const low = this.lora_A.forward(this.drop(x));
      const scaled = this.scaling === 1 ? low : (tf.mul(low, this.scaling) as T);
      return this.lora_B.forward(scaled, super.forward(x, residual));
    });
  }

  /** `scaling * B A`, `[out, in]`, the update that merging adds to the weight. The caller disposes it. */
  update(): tf.Tensor2D {
    return tf.tidy(() => {
      const product = tf.matMul(this.lora_B.weight.value as tf.Tensor2D, this.lora_A.weight.value);
      return tf.mul(product, this.scaling);
    });
  }

  /** Adds the update to the weight (`true`) or takes it out again, to rounding (`false`). */
  setMerged(merged: boolean): void {
    if (merged === this.#merged) return;
    const change = tf.tidy(() => (merged ? tf.add : tf.sub)(this.weight.value, this.update()));
    this.weight.assign(change);
    change.dispose();
    this.#merged = merged;
  }

  private drop<T extends tf.Tensor>(x: T): T {
    if (!this.training || this.dropout === 0) return x;
    return dropout(x, { rate: this.dropout, random: this.#random });
  }
}
