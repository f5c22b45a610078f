import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs, Inputs } from "./kernel.js";
import type { WasmBackend } from "./simd-kernels.js";

interface Convolution {
  backend: WasmBackend;
  inputs: Inputs;
  attrs: Attrs;
  /** The result of tfjs-backend-wasm, which is overwritten. */
  output: TensorInfo;
  /** Whether all weights are finite. */
  hasFiniteWeights: boolean;
}

/**
 * A convolution as one matrix product for each image, which keeps NaN: that of tfjs-backend-wasm clamps its results to
 * [-Infinity, Infinity] and makes an infinity of it. Padding takes no part, as on tfjs-backend-cpu.
 */
export function exactConv2d({ backend, inputs, attrs, output, hasFiniteWeights }: Convolution): void {
  const { x, filter, bias } = inputs;
  const info = tf.backend_util.computeConv2DInfo(
    x.shape as [number, number, number, number],
    filter.shape as [number, number, number, number],
    attrs.strides,
    attrs.dilations,
    attrs.pad,
    attrs.dimRoundingMode,
  );
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const pixels = pixelsOfWindows(info);
  const taps = info.filterHeight * info.filterWidth;
  const depth = taps * inChannels;
  const [imageSize, outputSize] = [inHeight * inWidth * inChannels, outHeight * outWidth * outChannels];
  const product = tf.getKernel("BatchMatMul", "wasm").kernelFunc;
  const kernel = { ...filter, shape: [1, depth, outChannels] };
  for (let n = 0; n < batchSize; n++) {
    const patches = backend.makeOutput([1, outHeight * outWidth, depth], "float32");
    const source = backend.typedArrayFromHeap(x).subarray(n * imageSize, (n + 1) * imageSize);
    const rows = backend.typedArrayFromHeap(patches).fill(0);
    for (const [i, pixel] of pixels.entries()) {
      if (pixel >= 0) rows.set(source.subarray(pixel * inChannels, (pixel + 1) * inChannels), i * inChannels);
    }
    const attributes = { transposeA: false, transposeB: false };
    const image = product({ inputs: { a: patches, b: kernel }, attrs: attributes, backend }) as TensorInfo;
    backend.typedArrayFromHeap(output).set(backend.typedArrayFromHeap(image), n * outputSize);
    for (const { dataId } of [patches, image]) backend.disposeData(dataId);
  }
  const y = backend.typedArrayFromHeap(output);
  if (!hasFiniteWeights) {
    // The product has 0 times infinity at the border.
    const [source, weights] = [x, filter].map((operand) => backend.typedArrayFromHeap(operand));
    for (let row = 0; row < batchSize * outHeight * outWidth; row++) {
      const place = row % (outHeight * outWidth);
      const window = pixels.subarray(place * taps, (place + 1) * taps);
      if (!window.includes(-1)) continue;
      const image = ((row - place) / (outHeight * outWidth)) * imageSize;
      const sums = new Float64Array(outChannels);
      for (const [tap, pixel] of window.entries()) {
        for (let c = 0; pixel >= 0 && c < inChannels; c++) {
          const value = source[image + pixel * inChannels + c];
          const from = (tap * inChannels + c) * outChannels;
          for (let o = 0; o < outChannels; o++) sums[o] += value * weights[from + o];
        }
      }
      y.set(sums, row * outChannels);
    }
  }
  if (!bias) return;
  const offsets = backend.typedArrayFromHeap(bias);
  for (let i = 0; i < y.length; i++) y[i] += offsets[i % outChannels];
}

/** `[places, taps]`: the pixel of an image under each tap of the window at each output place, or -1 in the padding. */
function pixelsOfWindows(info: ReturnType<typeof tf.backend_util.computeConv2DInfo>): Int32Array {
  const { inHeight, inWidth, outHeight, outWidth, filterHeight, filterWidth, padInfo } = info;
  const pixels = new Int32Array(outHeight * outWidth * filterHeight * filterWidth);
  let to = 0;
  for (let i = 0; i < outHeight; i++) {
    for (let j = 0; j < outWidth; j++) {
      for (let dy = 0; dy < filterHeight; dy++) {
        const row = i * info.strideHeight - padInfo.top + dy * info.dilationHeight;
        for (let dx = 0; dx < filterWidth; dx++) {
          const column = j * info.strideWidth - padInfo.left + dx * info.dilationWidth;
          const isInside = row >= 0 && row < inHeight && column >= 0 && column < inWidth;
          pixels[to++] = isInside ? row * inWidth + column : -1;
        }
      }
    }
  }
  return pixels;
}
