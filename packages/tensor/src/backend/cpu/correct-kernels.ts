import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

/** The value of a reduction over no elements, where tfjs-backend-cpu reads past the end. */
const ofNothing: Record<string, (dtype: string) => number> = {
  All: () => 1,
  Any: () => 0,
  Max: (dtype) => (dtype === "int32" ? -(2 ** 31) : -Infinity),
  Min: (dtype) => (dtype === "int32" ? 2 ** 31 - 1 : Infinity),
  Mean: () => NaN,
};

/** Depth of a matrix product from which tfjs-backend-cpu, which adds sums of 48 products in float32, is replaced. */
const longProduct = 4096;

/** A matrix product in float64. */
function matMul({ inputs, attrs, backend }: Parameters<KernelFunc>[0]): TensorInfo {
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
  const result = new Float32Array(batch * rows * columns);
  for (let n = 0, to = 0; n < batch; n++) {
    const [fromA, fromB] = [(n % batchA) * rows * depth, (n % batchB) * depth * columns];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let k = 0; k < depth; k++) {
          sum += x[fromA + i * rowStep + k * depthStep] * y[fromB + k * depthStepB + j * columnStep];
        }
        result[to++] = sum;
      }
    }
  }
  return host.makeTensorInfo([...lead, rows, columns], "float32", result);
}

/** A gradient of resizing one image after the other, since tfjs-backend-cpu takes the size of `images` for that of `dy`. */
function imageByImage(kernel: KernelFunc, params: Parameters<KernelFunc>[0]): TensorInfo {
  const host = params.backend as MathBackendCPU;
  const { dy, images } = params.inputs as Record<"dy" | "images", TensorInfo>;
  const result = new Float32Array(tf.util.sizeFromShape(images.shape));
  const one = ({ shape, dataId }: TensorInfo, i: number) => {
    const size = tf.util.sizeFromShape(shape) / shape[0];
    const values = (host.data.get(dataId).values as Float32Array).subarray(i * size, (i + 1) * size);
    return host.makeTensorInfo([1, ...shape.slice(1)], "float32", values);
  };
  for (let i = 0; i < images.shape[0]; i++) {
    const inputs = { dy: one(dy, i), images: one(images, i) };
    const dx = kernel({ ...params, inputs }) as TensorInfo;
    result.set(host.data.get(dx.dataId).values as Float32Array, (i * result.length) / images.shape[0]);
    for (const { dataId } of [inputs.dy, inputs.images, dx]) host.disposeData(dataId);
  }
  return host.makeTensorInfo(images.shape, "float32", result);
}

const corrected = new Set<KernelFunc>();

/** Replaces kernels of tfjs's backend "cpu" whose results are wrong; calling it again changes nothing. */
export function correctCpuKernels(): void {
  replace("ResizeBilinearGrad", (theirs) => (params) => {
    // The values are right, but height and width change places in the shape.
    const { images } = params.inputs as Record<"images", TensorInfo>;
    return { ...(theirs(params) as TensorInfo), shape: images.shape };
  });
  replace("ResizeNearestNeighborGrad", (theirs) => (params) => {
    const { images } = params.inputs as Record<"images", TensorInfo>;
    return images.shape[0] > 1 ? imageByImage(theirs, params) : theirs(params);
  });
  replace("BatchMatMul", (theirs) => (params) => {
    const { a, b } = params.inputs as Record<"a" | "b", TensorInfo>;
    const depth = a.shape[a.shape.length - ((params.attrs as { transposeA?: boolean }).transposeA ? 2 : 1)];
    const floats = a.dtype === "float32" && b.dtype === "float32";
    return floats && depth > longProduct ? matMul(params) : theirs(params);
  });
  for (const [kernelName, value] of Object.entries(ofNothing)) {
    replace(kernelName, (theirs) => (params) => {
      const result = theirs(params) as TensorInfo;
      const { x } = params.inputs as { x: TensorInfo };
      if (tf.util.sizeFromShape(x.shape) > 0) return result;
      const data = (params.backend as MathBackendCPU).data.get(result.dataId);
      (data.values as tf.TypedArray).fill(value(result.dtype));
      return result;
    });
  }
}

function replace(kernelName: string, by: (theirs: KernelFunc) => KernelFunc): void {
  const config = tf.getKernel(kernelName, "cpu");
  if (corrected.has(config.kernelFunc)) return;
  const kernelFunc = by(config.kernelFunc);
  corrected.add(kernelFunc);
  tf.unregisterKernel(kernelName, "cpu");
  tf.registerKernel({ ...config, kernelFunc });
}
