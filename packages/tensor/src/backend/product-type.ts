import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** The dtype of a matrix product: products of bools count, as their sums do. */
export const productType = (a: TensorInfo, b: TensorInfo): "float32" | "int32" =>
  tf.upcastType(tf.upcastType(a.dtype, b.dtype), "int32") as "float32" | "int32";
