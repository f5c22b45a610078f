import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { eachPair } from "./each-pair.js";
import { type Running, running } from "./running.js";

// Products of int32 modulo 2^32, as numpy has them. tfjs-backend-cpu multiplies in float64, which drops the last digits above 2^53.

type Params = Parameters<KernelFunc>[0];

const valuesOf = (params: Params, { dataId }: TensorInfo) =>
  (params.backend as MathBackendCPU).data.get(dataId).values as Int32Array | Uint8Array;

const whole = (params: Params, shape: number[], values: Int32Array) =>
  (params.backend as MathBackendCPU).makeTensorInfo(shape, "int32", values);

/** A negative power is 0, but for a base of 1 or -1. */
function power(base: number, exponent: number): number {
  if (exponent < 0) return Math.abs(base) === 1 ? (exponent % 2 === 0 ? 1 : base) : 0;
  let result = 1;
  for (let square = base, rest = exponent; rest > 0; rest >>= 1) {
    if (rest & 1) result = Math.imul(result, square);
    square = Math.imul(square, square);
  }
  return result;
}

const binary =
  (of: (a: number, b: number) => number): KernelFunc =>
  (params) => {
    const { a, b } = params.inputs as Record<"a" | "b", TensorInfo>;
    const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const result = new Int32Array(tf.util.sizeFromShape(shape));
    const [x, y] = [valuesOf(params, a), valuesOf(params, b)];
    eachPair(shape, [a.shape, b.shape], (i, atA, atB) => {
      result[i] = of(x[atA], y[atB]);
    });
    return whole(params, shape, result);
  };

const square: KernelFunc = (params) => {
  const { x } = params.inputs as { x: TensorInfo };
  return whole(
    params,
    x.shape,
    Int32Array.from(valuesOf(params, x), (value) => Math.imul(value, value)),
  );
};

const prod: KernelFunc = (params) => {
  const { x } = params.inputs as { x: TensorInfo };
  const { axis, keepDims } = params.attrs as unknown as { axis: number[]; keepDims?: boolean };
  const axes = tf.util.parseAxisParam(axis, x.shape);
  const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
  const result = new Int32Array(tf.util.sizeFromShape(kept)).fill(1);
  const values = valuesOf(params, x);
  eachPair(x.shape, [x.shape, kept], (_, from, to) => {
    result[to] = Math.imul(result[to], values[from]);
  });
  return whole(params, keepDims ? kept : x.shape.filter((_, i) => !axes.includes(i)), result);
};

const cumprod: KernelFunc = (params) => {
  const { x } = params.inputs as { x: TensorInfo };
  const result = new Int32Array(tf.util.sizeFromShape(x.shape));
  const values = { from: valuesOf(params, x), shape: x.shape, start: 1, step: Math.imul };
  running(result, values, params.attrs as unknown as Running);
  return whole(params, x.shape, result);
};

/** Kernels that take tensors of int32, or of int32 and bool, by their names. */
export const wholeProducts: Record<string, KernelFunc> = {
  Multiply: binary(Math.imul),
  SquaredDifference: binary((a, b) => Math.imul(a - b, a - b)),
  Pow: binary(power),
  Square: square,
  Prod: prod,
  Cumprod: cumprod,
};
