import * as tf from "@tensorflow/tfjs-core";
import { defineComposite, runFused } from "./fused-kernel.js";

/** The terms that are added to a product whose last axis has `n` elements. */
export interface Addends {
  /** `[n]`. */
  bias?: tf.Tensor | null;
  /** Shaped as the product, or with fewer rows of `n`, of which each is then added to as many neighbouring rows of the product. */
  residual?: tf.Tensor | null;
}

/** `x W`, or `x W^T` for a `transposed` W, and the addends, which need no pass of their own where a kernel adds them as it writes. */
export function matMulAndSum(
  x: tf.Tensor2D,
  weight: tf.Tensor2D,
  transposed: boolean,
  addends: Addends,
): tf.Tensor2D {
  return run("BatchMatMul", { a: x, b: weight }, { transposeA: false, transposeB: transposed }, addends);
}

/** An NHWC convolution and the addends. */
export function conv2dAndSum(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  geometry: { strides: number; pad: tf.backend_util.ExplicitPadding },
  addends: Addends,
): tf.Tensor4D {
  return run("Conv2D", { x, filter }, { ...geometry, dataFormat: "NHWC", dilations: 1 }, addends);
}

function run<T extends tf.Tensor>(
  product: string,
  operands: Record<string, tf.Tensor>,
  attrs: Record<string, unknown>,
  { bias, residual }: Addends,
): T {
  if (!bias && !residual) return runFused<T>(product, operands, attrs);
  const inputs = { ...operands, ...(bias && { bias }), ...(residual && { residual }) };
  return runFused<T>(`${product}AndSum`, inputs, { ...attrs, residualShape: residual?.shape });
}

/** A product's shape, its rows as those of the residual by how many each of these is added to. */
function byResidualRows(shape: number[], residualShape: number[]): [number, number, number] {
  const columns = shape[shape.length - 1];
  const rows = tf.util.sizeFromShape(residualShape.slice(0, -1));
  return [rows, rows === 0 ? 0 : tf.util.sizeFromShape(shape.slice(0, -1)) / rows, columns];
}

for (const [product, operands] of Object.entries({ BatchMatMul: ["a", "b"], Conv2D: ["x", "filter"] })) {
  defineComposite({
    kernelName: `${product}AndSum`,
    compute: ({ bias, residual, ...inputs }, attrs) => {
      const plain = runFused<tf.Tensor>(product, inputs, attrs);
      const y = bias ? tf.add(plain, bias) : plain;
      if (!residual) return y;
      const [rows, each, columns] = byResidualRows(y.shape, residual.shape);
      const terms = [tf.reshape(y, [rows, each, columns]), tf.reshape(residual, [rows, 1, columns])];
      return tf.reshape(tf.add(terms[0], terms[1]), y.shape);
    },
  });

  tf.registerGradient({
    kernelName: `${product}AndSum`,
    inputsToSave: operands,
    gradFunc: (gradient, saved, attrs) => {
      const dy = gradient as tf.Tensor;
      const shape = (attrs as unknown as { residualShape: number[] }).residualShape;
      return {
        ...tf.getGradient(product).gradFunc(dy, saved, attrs),
        bias: () => tf.sum(dy, [...dy.shape.keys()].slice(0, -1)),
        residual: () => {
          const rows = byResidualRows(dy.shape, shape);
          return tf.reshape(rows[1] === 1 ? dy : tf.sum(tf.reshape(dy, rows), 1), shape);
        },
      };
    },
  });
}
