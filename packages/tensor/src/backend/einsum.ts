import type { KernelBackend, KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

const { sizeFromShape } = tf.util;

/**
 * The kernel Einsum of a backend, made of its other kernels: the sums of products that the labels say, as numpy.einsum. tfjs-core's plan,
 * by which its backends compute, takes the wrong axes where two labels are summed, leaves out an operand whose labels are all in the
 * result, and gives the operand itself where there is nothing to do.
 */
export const einsumOn =
  (backendName: string): KernelFunc =>
  ({ inputs, attrs, backend: given }) => {
    const backend = given as KernelBackend;
    const operands = Object.values(inputs) as TensorInfo[];
    const { equation } = attrs as unknown as { equation: string };
    const { terms, output } = parse(equation, operands);
    const temporary: TensorInfo[] = [];
    const run = (kernelName: string, tensors: Record<string, TensorInfo>, attributes: object = {}) => {
      const { kernelFunc } = tf.getKernel(kernelName, backendName);
      const y = kernelFunc({ inputs: tensors, attrs: attributes as tf.NamedAttrMap, backend }) as TensorInfo;
      temporary.push(y);
      return y;
    };
    const inOrder = (x: TensorInfo, from: string, to: string) =>
      from === to ? x : run("Transpose", { x }, { perm: Array.from(to, (label) => from.indexOf(label)) });
    const reshape = (x: TensorInfo, shape: number[]) => run("Reshape", { x }, { shape });

    /** An operand with the labels that nothing else has summed. */
    const summed = operands.map((x, i) => {
      const isKept = (label: string) =>
        output.includes(label) || terms.some((other, j) => j !== i && other.includes(label));
      const axes = [...terms[i]!].flatMap((label, axis) => (isKept(label) ? [] : [axis]));
      const labels = [...terms[i]!].filter(isKept).join("");
      return { labels, x: axes.length > 0 ? run("Sum", { x }, { axis: axes, keepDims: false }) : x };
    });
    const [a, b] = summed;
    let y: TensorInfo;
    if (b === undefined) y = inOrder(a!.x, a!.labels, output);
    else {
      const sizes = new Map(
        summed.flatMap(({ labels, x }) => Array.from(labels, (label, axis) => [label, x.shape[axis]!])),
      );
      const pick = (labels: string, isPicked: (label: string) => boolean) =>
        [...labels].filter(isPicked).join("");
      const isShared = (label: string) => a!.labels.includes(label) && b.labels.includes(label);
      const batch = pick(output, isShared);
      const contracted = pick(a!.labels, (label) => isShared(label) && !output.includes(label));
      const [rows, columns] = [a!, b].map(({ labels }) => pick(labels, (label) => !isShared(label)));
      const shapeOf = (labels: string) => Array.from(labels, (label) => sizes.get(label)!);
      const [count, m, n, k] = [batch, rows!, columns!, contracted].map((labels) =>
        sizeFromShape(shapeOf(labels)),
      );
      const left = inOrder(a!.x, a!.labels, batch + rows + contracted);
      const right = inOrder(b.x, b.labels, batch + columns + contracted);
      const product = run(
        "BatchMatMul",
        { a: reshape(left, [count!, m!, k!]), b: reshape(right, [count!, n!, k!]) },
        { transposeA: false, transposeB: true },
      );
      const labels = batch + rows + columns;
      y = inOrder(reshape(product, shapeOf(labels)), labels, output);
    }
    if (operands.includes(y)) y = run("Identity", { x: y });
    for (const { dataId } of temporary) if (dataId !== y.dataId) backend.disposeData(dataId);
    // A result that only has another shape shares the memory of a step, which counts its holders.
    const holders = temporary.filter(({ dataId }) => dataId === y.dataId).length;
    for (let i = 1; i < holders; i++) backend.disposeData(y.dataId);
    return { dataId: y.dataId, shape: y.shape, dtype: y.dtype };
  };

/** The labels of each operand and of the result. */
function parse(equation: string, operands: readonly TensorInfo[]): { terms: string[]; output: string } {
  const { idDims, allDims } = tf.backend_util.decodeEinsumEquation(equation, operands.length);
  const [inputs, output] = equation.replaceAll(/\s/g, "").split("->") as [string, string];
  const terms = inputs.split(",");
  for (const [i, { shape }] of operands.entries()) {
    if (shape.length === terms[i]!.length) continue;
    throw new Error(
      `einsum: the tensor of "${terms[i]}" in "${equation}" must have as many axes, got [${shape}]`,
    );
  }
  if (new Set(output).size < output.length) {
    throw new Error(`einsum: "${equation}" has a label twice in its result`);
  }
  tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, operands as tf.Tensor[]);
  return { terms, output };
}
