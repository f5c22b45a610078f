import type * as tf from "@tensorflow/tfjs-core";
import type * as Ops from "../src/index.js";

type Inputs = Record<string, tf.Tensor>;
/** The ops that are tested, of the package's sources or of its build. */
type FusedOps = Pick<
  typeof Ops,
  | "conv2d"
  | "gelu"
  | "groupNorm"
  | "l2Normalize"
  | "layerNorm"
  | "linear"
  | "scaledDotProductAttention"
  | "silu"
  | "upsampleNearest2d"
>;

/** The fused ops by the name of their golden values in `fixtures/ops.safetensors`, made by tools/reference/tensor_ops.py. */
export function fusedOps(ops: FusedOps): Record<string, (inputs: Inputs) => tf.Tensor> {
  const attention =
    (heads: number, causal = false) =>
    ({ query, key, value }: Inputs) =>
      ops.scaledDotProductAttention(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, {
        heads,
        causal,
      });
  const conv =
    (stride: number, padding: Ops.Padding) =>
    ({ x, weight, bias }: Inputs) =>
      ops.conv2d(x as tf.Tensor4D, weight as tf.Tensor4D, bias as tf.Tensor1D, { stride, padding });
  const normed =
    (activation?: "silu") =>
    ({ x, weight, bias }: Inputs) =>
      ops.groupNorm(x as tf.Tensor4D, weight as tf.Tensor1D, bias as tf.Tensor1D, { groups: 3, activation });
  return {
    attention: attention(3),
    "attention-causal": attention(2, true),
    "attention-shared": attention(2),
    layerNorm: ({ x, weight, bias }) => ops.layerNorm(x, weight as tf.Tensor1D, bias as tf.Tensor1D),
    groupNorm: normed(),
    "groupNorm-silu": normed("silu"),
    "gelu-erf": ({ input }) => ops.gelu(input),
    "gelu-tanh": ({ x }) => ops.gelu(x, "tanh"),
    "gelu-quick": ({ x }) => ops.gelu(x, "quick"),
    silu: ({ input }) => ops.silu(input),
    linear: ({ x, weight, bias }) => ops.linear(x, weight as tf.Tensor2D, bias as tf.Tensor1D),
    conv2d: conv(1, 1),
    "conv2d-stride": conv(2, 1),
    "conv2d-asymmetric": conv(2, [
      [0, 1],
      [0, 1],
    ]),
    "conv2d-pointwise": conv(1, 0),
    "conv2d-patches": conv(4, 0),
    upsample: ({ x }) => ops.upsampleNearest2d(x as tf.Tensor4D),
    l2Normalize: ({ x }) => ops.l2Normalize(x),
  };
}

/** Inputs, output and gradients of one fused op; what is made is the caller's. */
export interface GoldenCase {
  /** The weights of the differentiated sum. */
  weight: tf.Tensor;
  names: string[];
  inputs: tf.Tensor[];
  output: tf.Tensor;
  gradients: tf.Tensor[];
}

/** The golden values of one op, as parts of the dict that `fixtures/ops.safetensors` is read to. */
export function goldenCase(golden: Ops.StateDict, name: string): GoldenCase {
  const prefix = `${name}.in.`;
  const names = Object.keys(golden).flatMap((key) =>
    key.startsWith(prefix) ? [key.slice(prefix.length)] : [],
  );
  return {
    weight: golden[`${name}.weight`],
    names,
    inputs: names.map((key) => golden[prefix + key]),
    output: golden[`${name}.y`],
    gradients: names.map((key) => golden[`${name}.grad.${key}`]),
  };
}
