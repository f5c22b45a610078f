import { type Initializer, Module, Parameter } from "@dcr-js/tensor";

/**
 * The weight and bias of a linear map that PyTorch reads past any adapter, as its `MultiheadAttention` does with `out_proj`. It is no
 * `Linear`, because adapters must not attach to it.
 */
export class BypassedLinear extends Module {
  /** `[outFeatures, inFeatures]`. */
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(inFeatures: number, outFeatures: number, init: Initializer) {
    super();
    this.weight = new Parameter([outFeatures, inFeatures], { init });
    this.bias = new Parameter([outFeatures]);
  }
}
