import type { Initializer, Linear } from "@dcr-js/tensor";
import type { CLIPEncoderConfig } from "../clip/clip-config.js";
import { CLIPEncoder, type CLIPMLP, normalInitializer } from "../clip/clip-encoder.js";

/**
 * U(-b, b) with `b = sqrt(6 / (fanIn + fanOut))` (Glorot and Bengio 2010, equation 16). As PyTorch counts, a third axis belongs to both
 * fans.
 */
export const xavierUniform: Initializer = (shape, random) => {
  const [fanOut, fanIn, ...rest] = shape as [number, number, ...number[]];
  const bound = Math.sqrt(6 / ((fanIn + fanOut) * rest.reduce((product, size) => product * size, 1)));
  return random.uniform(shape, -bound, bound);
};

function initializeXavier(layer: Linear, biasStd: number): void {
  layer.weight.options.init = xavierUniform;
  layer.bias!.options.init = biasStd > 0 ? normalInitializer(biasStd) : undefined;
}

/** First values of a perceptron, as transformers gives them. */
export function initializeMLP(mlp: CLIPMLP): void {
  for (const layer of [mlp.fc1, mlp.fc2]) initializeXavier(layer, 1e-6);
}

/** The stack of layers of SigLIP's towers: CLIP's, with other first values (Zhai et al. 2023). */
export class SiglipEncoder extends CLIPEncoder {
  constructor(config: CLIPEncoderConfig) {
    super(config);
    for (const { self_attn, mlp } of this.layers) {
      for (const layer of [self_attn.q_proj, self_attn.k_proj, self_attn.v_proj, self_attn.out_proj]) {
        initializeXavier(layer, 0);
      }
      initializeMLP(mlp);
    }
  }
}
