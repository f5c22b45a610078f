import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo, TypedArray } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { eachPair } from "./each-pair.js";

type Params = Parameters<KernelFunc>[0];

const valuesOf = (params: Params, { dataId }: TensorInfo) =>
  (params.backend as MathBackendCPU).data.get(dataId).values as TypedArray;

/** The remainder with the divisor's sign, as numpy.mod: tfjs-backend-cpu's loses it beside a large divisor, and is NaN of an infinite one. */
function remainder(a: number, b: number): number {
  const rest = a % b;
  if (rest === 0) return b < 0 ? -0 : 0;
  return rest < 0 === b < 0 ? rest : rest + b;
}

/** An integer's remainder by 0 is 0. */
const wholeRemainder = (a: number, b: number) => (b === 0 ? 0 : remainder(a, b));

export const floorMod: KernelFunc = (params) => {
  const { a, b } = params.inputs as Record<"a" | "b", TensorInfo>;
  const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const dtype = tf.upcastType(a.dtype, b.dtype) as "float32" | "int32";
  const result = tf.util.getArrayFromDType(dtype, tf.util.sizeFromShape(shape)) as TypedArray;
  const [x, y] = [valuesOf(params, a), valuesOf(params, b)];
  const of = dtype === "float32" ? remainder : wholeRemainder;
  eachPair(shape, [a.shape, b.shape], (i, atA, atB) => {
    result[i] = of(x[atA], y[atB]);
  });
  return (params.backend as MathBackendCPU).makeTensorInfo(shape, dtype, result);
};

/** By its Taylor series up to 3, and from there 1 - erfc by the Chebyshev fit of Press et al., Numerical Recipes, section 6.2. */
function errorFunction(x: number): number {
  const size = Math.abs(x);
  if (size < 3) {
    let [term, sum] = [x, x];
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= -(x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  const t = 1 / (1 + 0.5 * size);
  const coefficients = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
    -0.82215223, 0.17087277,
  ];
  const exponent = coefficients.reduceRight((sum, c) => sum * t + c, 0);
  return Math.sign(x) * (1 - t * Math.exp(-x * x + exponent));
}

/** tfjs-backend-cpu's is right to 1e-7, which of small numbers is much. */
export const erf: KernelFunc = (params) => {
  const { x } = params.inputs as { x: TensorInfo };
  const result = Float32Array.from(valuesOf(params, x), errorFunction);
  return (params.backend as MathBackendCPU).makeTensorInfo(x.shape, "float32", result);
};
