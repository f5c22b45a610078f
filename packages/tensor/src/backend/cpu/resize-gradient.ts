import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";

interface ResizeAttrs {
  alignCorners?: boolean;
  halfPixelCenters?: boolean;
}

/** Which pixels of the input make each pixel of the output along one axis, and the weight of the second: as tfjs resizes. */
function tapsOf(
  from: number,
  to: number,
  isBilinear: boolean,
  { alignCorners, halfPixelCenters }: ResizeAttrs,
): { low: number; high: number; share: number }[] {
  const step = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
  return Array.from({ length: to }, (_, i) => {
    const source = (halfPixelCenters ? i + 0.5 : i) * step - (halfPixelCenters && isBilinear ? 0.5 : 0);
    if (isBilinear) {
      const low = Math.max(0, Math.floor(source));
      return { low, high: Math.max(0, Math.min(from - 1, Math.ceil(source))), share: source - low };
    }
    const nearest = Math.min(from - 1, alignCorners ? Math.round(source) : Math.floor(source));
    return { low: nearest, high: nearest, share: 0 };
  });
}

/**
 * The gradient of resizing: each pixel of `dy` goes back to those that it was made of. tfjs-backend-cpu's own do not know
 * `halfPixelCenters`, mix up images of a batch (nearest neighbour), swap height and width in the shape (bilinear), and never end
 * at an input of one pixel with `alignCorners` (nearest neighbour).
 */
export const resizeGradient =
  (isBilinear: boolean): KernelFunc =>
  ({ inputs, attrs, backend }) => {
    const host = backend as MathBackendCPU;
    const { dy, images } = inputs as Record<"dy" | "images", TensorInfo>;
    const [batch, height, width, channels] = images.shape;
    const [, newHeight, newWidth] = dy.shape;
    const rows = tapsOf(height, newHeight, isBilinear, attrs as ResizeAttrs);
    const columns = tapsOf(width, newWidth, isBilinear, attrs as ResizeAttrs);
    const gradient = host.data.get(dy.dataId).values as Float32Array;
    // In float64: a pixel may get the sum of thousands.
    const result = new Float64Array(tf.util.sizeFromShape(images.shape));
    let from = 0;
    for (let n = 0; n < batch; n++) {
      for (const row of rows) {
        for (const column of columns) {
          const parts = [
            [row.low, column.low, (1 - row.share) * (1 - column.share)],
            [row.low, column.high, (1 - row.share) * column.share],
            [row.high, column.low, row.share * (1 - column.share)],
            [row.high, column.high, row.share * column.share],
          ].filter(([, , weight]) => weight !== 0);
          for (const [y, x, weight] of parts) {
            const to = ((n * height + y) * width + x) * channels;
            for (let c = 0; c < channels; c++) result[to + c] += weight * gradient[from + c];
          }
          from += channels;
        }
      }
    }
    return host.makeTensorInfo(images.shape, "float32", Float32Array.from(result));
  };
