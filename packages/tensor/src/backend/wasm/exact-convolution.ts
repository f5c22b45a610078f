import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs, Inputs } from "./kernel.js";
import type { WasmBackend } from "./simd-kernels.js";

/**
 * A convolution as one matrix product for each image, which keeps NaN: that of tfjs-backend-wasm clamps its results to
 * [-Infinity, Infinity] and makes an infinity of it. Written over `y`, what that one gave.
 */
export function exactConv2d(
  backend: WasmBackend,
  { x, filter, bias }: Inputs,
  attrs: Attrs,
  y: TensorInfo,
): void {
  const info = tf.backend_util.computeConv2DInfo(
    x.shape as [number, number, number, number],
    filter.shape as [number, number, number, number],
    attrs.strides,
    attrs.dilations,
    attrs.pad,
    attrs.dimRoundingMode,
  );
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const { filterHeight, filterWidth, dilationHeight, dilationWidth, strideHeight, strideWidth, padInfo } =
    info;
  const depth = filterHeight * filterWidth * inChannels;
  const product = tf.getKernel("BatchMatMul", "wasm").kernelFunc;
  const kernel = { ...filter, shape: [1, depth, outChannels] };
  for (let n = 0; n < batchSize; n++) {
    const patches = backend.makeOutput([1, outHeight * outWidth, depth], "float32");
    const pixels = backend.typedArrayFromHeap(x);
    const rows = backend.typedArrayFromHeap(patches).fill(0);
    let to = 0;
    for (let i = 0; i < outHeight; i++) {
      for (let j = 0; j < outWidth; j++) {
        for (let dy = 0; dy < filterHeight; dy++) {
          const row = i * strideHeight - padInfo.top + dy * dilationHeight;
          for (let dx = 0; dx < filterWidth; dx++, to += inChannels) {
            const column = j * strideWidth - padInfo.left + dx * dilationWidth;
            if (row < 0 || row >= inHeight || column < 0 || column >= inWidth) continue;
            const from = ((n * inHeight + row) * inWidth + column) * inChannels;
            rows.set(pixels.subarray(from, from + inChannels), to);
          }
        }
      }
    }
    const attributes = { transposeA: false, transposeB: false };
    const image = product({ inputs: { a: patches, b: kernel }, attrs: attributes, backend }) as TensorInfo;
    backend
      .typedArrayFromHeap(y)
      .set(backend.typedArrayFromHeap(image), n * outHeight * outWidth * outChannels);
    for (const { dataId } of [patches, image]) backend.disposeData(dataId);
  }
  if (!bias) return;
  const values = backend.typedArrayFromHeap(y);
  const offsets = backend.typedArrayFromHeap(bias);
  for (let i = 0; i < values.length; i++) values[i] += offsets[i % outChannels];
}
