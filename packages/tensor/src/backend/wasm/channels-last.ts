import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs, Inputs } from "./kernel.js";
import type { WasmBackend } from "./simd-kernels.js";

const toLast = [0, 2, 3, 1];
const toFirst = [0, 3, 1, 2];

/** Which inputs are laid out as the image is, by the names of kernels that take "NCHW". */
const imagesOf: Record<string, readonly string[]> = {
  Conv2D: ["x"],
  FusedConv2D: ["x", "bias", "preluActivationWeights"],
  Conv2DBackpropInput: ["dy"],
  Conv2DBackpropFilter: ["x", "dy"],
};

/** Runs a convolution of "NCHW", which tfjs-backend-wasm's kernels and ours refuse, as one of "NHWC". */
export function channelsLast(
  kernelName: string,
  { inputs, attrs, backend }: { inputs: Inputs; attrs: Attrs; backend: WasmBackend },
  run: (given: { inputs: Inputs; attrs: Attrs }) => TensorInfo,
): TensorInfo {
  const transpose = (x: TensorInfo, perm: number[]) =>
    tf.getKernel("Transpose", "wasm").kernelFunc({ inputs: { x }, attrs: { perm }, backend }) as TensorInfo;
  const made: TensorInfo[] = [];
  const turned = { ...inputs };
  for (const name of imagesOf[kernelName]) {
    const x = inputs[name];
    // A vector belongs to the channels, wherever their axis is.
    if (!x || x.shape.length < 2) continue;
    const shape = [...new Array(4 - x.shape.length).fill(1), ...x.shape];
    turned[name] = transpose({ ...x, shape }, toLast);
    made.push(turned[name]);
  }
  const last = (values: unknown) => (Array.isArray(values) ? toLast.map((axis) => values[axis]) : values);
  const result = run({
    inputs: turned,
    attrs: { ...attrs, dataFormat: "NHWC", pad: last(attrs.pad), inputShape: last(attrs.inputShape) },
  });
  if (kernelName !== "Conv2DBackpropFilter") made.push(result);
  const y = kernelName === "Conv2DBackpropFilter" ? result : transpose(result, toFirst);
  for (const { dataId } of made) backend.disposeData(dataId);
  return y;
}

/** Whether a kernel was asked to take channels before rows and columns. */
export const isChannelsFirst = (kernelName: string, { dataFormat }: Attrs) =>
  dataFormat === "NCHW" && kernelName in imagesOf;
