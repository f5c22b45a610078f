import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { productType } from "../product-type.js";

/** Adds a product of two elements to a sum: in float64, or modulo 2^32 as numpy has products of int32. */
const addFloat = (sum: number, a: number, b: number) => sum + a * b;
const addWhole = (sum: number, a: number, b: number) => (sum + Math.imul(a, b)) | 0;

/** A matrix product with sums in float64, exact modulo 2^32 for integers. Each operand has the whole batch or one matrix. */
export function matMul({ inputs, attrs, backend }: Parameters<KernelFunc>[0]): TensorInfo {
  const host = backend as MathBackendCPU;
  const { a, b } = inputs as Record<"a" | "b", TensorInfo>;
  const { transposeA, transposeB } = attrs as unknown as Record<"transposeA" | "transposeB", boolean>;
  const values = ({ dataId }: TensorInfo) => host.data.get(dataId).values as Float32Array;
  const sides = ({ shape }: TensorInfo, swapped: boolean) =>
    swapped ? shape.slice(-2).reverse() : shape.slice(-2);
  const [[rows, depth], [, columns]] = [sides(a, transposeA), sides(b, transposeB)];
  const lead = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [batch, batchA, batchB] = [lead, a.shape.slice(0, -2), b.shape.slice(0, -2)].map(
    tf.util.sizeFromShape,
  );
  const [x, y] = [values(a), values(b)];
  const [rowStep, depthStep] = transposeA ? [1, rows] : [depth, 1];
  const [depthStepB, columnStep] = transposeB ? [1, depth] : [columns, 1];
  const dtype = productType(a, b);
  const add = dtype === "float32" ? addFloat : addWhole;
  const result = tf.util.getArrayFromDType(dtype as "int32", batch * rows * columns);
  for (let n = 0, to = 0; n < batch; n++) {
    const [fromA, fromB] = [(n % batchA) * rows * depth, (n % batchB) * depth * columns];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < depth; k++) {
          sum = add(sum, x[fromA + i * rowStep + k * depthStep], y[fromB + k * depthStepB + j * columnStep]);
        }
        result[to++] = sum;
      }
    }
  }
  return host.makeTensorInfo([...lead, rows, columns], dtype, result);
}
