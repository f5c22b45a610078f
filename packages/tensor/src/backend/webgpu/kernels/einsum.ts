import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { elementwise } from "./elementwise.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { transpose } from "./moves.js";
import { reduce } from "./reduce.js";

const { backend_util } = tf;

/** Sum over indices as tfjs-core plans it: operands brought to common axes, multiplied, and summed axis by axis. */
const einsum: Kernel = ({ inputs, attrs, backend }) => {
  const tensors = inputs as unknown as tf.Tensor[];
  const { allDims, summedDims, idDims } = backend_util.decodeEinsumEquation(attrs.equation, tensors.length);
  backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors);
  const { path, steps } = backend_util.getEinsumComputePath(summedDims, idDims);
  let output: TensorInfo | null = null;
  let remaining = allDims.length;
  steps.forEach((terms, i) => {
    for (const term of terms) {
      const { permutationIndices, expandDims } = backend_util.getEinsumPermutation(remaining, idDims[term]);
      const x = transpose(backend, tensors[term], permutationIndices);
      for (const axis of expandDims) x.shape.splice(axis, 0, 1);
      if (!output) {
        output = x;
        continue;
      }
      const shape = backend_util.assertAndGetBroadcastShape(x.shape, output.shape);
      const inputs = { a: x, b: output };
      const op = { name: "Einsum", inputs, shape, dtype: x.dtype, isStep: true, expression: "a * b" };
      const product = elementwise(backend, op);
      backend.disposeAll(x, output);
      output = product;
    }
    if (i < steps.length - 1) {
      if (path[i] >= 0) {
        const sum = reduce(backend, output!, { name: "Sum", axes: [path[i] - (allDims.length - remaining)] });
        backend.disposeAll(output!);
        output = sum;
      }
      remaining--;
    }
  });
  return output!;
};

export const einsumKernels: KernelTable = { Einsum: einsum };
