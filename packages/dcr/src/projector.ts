import { gelu, LayerNorm, Linear, Module } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";

/**
 * The projector `h` of DCR (Han et al. 2026, section 3.2): from the encoder's feature to the width of the diffusion
 * model's cross-attention, LayerNorm -> Linear -> GELU -> Linear.
 *
 * @example
 * const projector = new Projector(768, 1024).initialize(new Random(0));
 * const h = projector.forward(clip.encodeImage(pixels)); // [batch, 1024]
 */
export class Projector extends Module {
  readonly norm: LayerNorm;
  readonly fc1: Linear;
  readonly fc2: Linear;

  /**
   * @param inFeatures width `d` of the encoder's feature
   * @param outFeatures width `c` of the UNet's cross-attention
   */
  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
  ) {
    super();
    for (const [name, value] of Object.entries({ inFeatures, outFeatures })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new Error(`Projector: ${name} must be a positive integer, got ${value}`);
      }
    }
    this.norm = new LayerNorm(inFeatures);
    this.fc1 = new Linear(inFeatures, outFeatures);
    this.fc2 = new Linear(outFeatures, outFeatures);
  }

  /**
   * @param features `[..., inFeatures]`: one vector an image, or one a token
   * @returns `[..., outFeatures]`; the caller disposes it
   * @throws if the last axis is not inFeatures
   */
  forward<T extends tf.Tensor>(features: T): T {
    if (features.shape[features.rank - 1] !== this.inFeatures) {
      throw new Error(`Projector: features must be [..., ${this.inFeatures}], got [${features.shape}]`);
    }
    return tf.tidy(() => this.fc2.forward(gelu(this.fc1.forward(this.norm.forward(features)), "erf")));
  }
}
