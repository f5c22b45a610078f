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
  /** The factors whose update is in the weight, as they were then; undefined while there is none. */
  #merged: { a: tf.Tensor2D; b: tf.Tensor2D } | undefined;

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
    return this.#merged !== undefined;
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
    return this.updateOf(this.lora_A.weight.value as tf.Tensor2D, this.lora_B.weight.value as tf.Tensor2D);
  }

  /**
   * Adds the update to the weight (`true`), or takes out again, to rounding, what was added (`false`), whatever became of the factors
   * since.
   */
  setMerged(merged: boolean): void {
    if (merged === this.merged) return;
    if (merged) {
      this.addToWeight(1, this.update());
      const [a, b] = [this.lora_A, this.lora_B].map(({ weight }) => tf.keep(tf.clone(weight.value)));
      this.#merged = { a: a as tf.Tensor2D, b: b as tf.Tensor2D };
    } else {
      const { a, b } = this.#merged!;
      this.addToWeight(-1, this.updateOf(a, b));
      this.forgetMerged();
    }
  }

  /** Frees the factors. Weight and bias are the base layer's, and stay. */
  disposeFactors(): void {
    this.lora_A.dispose();
    this.lora_B.dispose();
    this.forgetMerged();
  }

  override dispose(): void {
    super.dispose();
    this.forgetMerged();
  }

  private forgetMerged(): void {
    if (this.#merged) tf.dispose([this.#merged.a, this.#merged.b]);
    this.#merged = undefined;
  }

  private updateOf(a: tf.Tensor2D, b: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() => tf.mul(tf.matMul(b, a), this.scaling));
  }

  private addToWeight(sign: 1 | -1, update: tf.Tensor2D): void {
    const weight = (sign > 0 ? tf.add : tf.sub)(this.weight.value, update);
    this.weight.assign(weight);
    tf.dispose([weight, update]);
  }

  private drop<T extends tf.Tensor>(x: T): T {
    if (!this.training || this.dropout === 0) return x;
    return dropout(x, { rate: this.dropout, random: this.#random });
  }
}
