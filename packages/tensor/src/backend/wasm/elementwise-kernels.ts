import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import type { Attrs, Kernel } from "./kernel.js";
import { moved } from "./simd-kernels.js";

const size = tf.util.sizeFromShape;

/** Elements of a shape, in fours as vectors hold them. */
const elements = (shape: number[], work: number) => ({ size: size(shape), step: 4, work });

/** A kernel that is `f` on every element; codes as in assembly/elementwise.ts. */
const unary =
  (code: number | ((attrs: Attrs) => number)): Kernel =>
  ({ inputs, attrs, split, at, output }) => {
    const y = output(inputs.x.shape);
    const pointers = [inputs.x, y].map(at);
    const codeOf = typeof code === "number" ? code : code(attrs);
    split.run("unary", elements(y.shape, 8), (from, count) => [codeOf, count, ...moved(pointers, from)]);
    return y;
  };

const unaryGradient =
  (code: (attrs: Attrs) => number): Kernel =>
  ({ inputs, attrs, split, at, output }) => {
    const dx = output(inputs.x.shape);
    const pointers = [inputs.x, inputs.dy, dx].map(at);
    split.run("unaryGradient", elements(dx.shape, 16), (from, count) => [
      code(attrs),
      count,
      ...moved(pointers, from),
    ]);
    return dx;
  };

const geluCode = ({ variant }: Attrs) => ({ quick: 3, erf: 4, tanh: 5 })[variant as "erf"];

/** `min(max(x, low), high)`, where tfjs-backend-wasm loses NaN. */
const clip =
  (bounds: (attrs: Attrs) => [low: number, high: number]): Kernel =>
  ({ inputs, attrs, split, at, output }) => {
    const y = output(inputs.x.shape);
    const pointers = [inputs.x, y].map(at);
    split.run("clip", elements(y.shape, 4), (from, count) => [
      count,
      ...moved(pointers, from),
      ...bounds(attrs),
    ]);
    return y;
  };

/** The greater or the lesser of two, where tfjs-backend-wasm loses NaN. */
const extremum =
  (least: 0 | 1): Kernel =>
  ({ inputs, split, at, output }) => {
    const shape = tf.broadcast_util.assertAndGetBroadcastShape(inputs.a.shape, inputs.b.shape);
    const count = size(shape);
    const y = output(shape);
    // Both are functions of the two in either order.
    const [large, other] = size(inputs.a.shape) === count ? [inputs.a, inputs.b] : [inputs.b, inputs.a];
    const widened: tf.Tensor[] = [];
    const wide = (x: TensorInfo): TensorInfo => {
      if (size(x.shape) === count) return x;
      widened.push(tf.broadcastTo(x as tf.Tensor, shape));
      return widened[widened.length - 1];
    };
    const operands = [wide(large), size(other.shape) === 1 ? other : wide(other)];
    const step = size(operands[1].shape) === count ? 1 : 0;
    const [a, b, to] = [...operands, y].map(at);
    split.run("extremum", elements(shape, 4), (from, n) => [
      ...[least, n, step, a + 4 * from, b + 4 * from * step, to + 4 * from],
    ]);
    tf.dispose(widened);
    return y;
  };

const adamWStep: Kernel = ({ inputs, attrs, split, at, output }) => {
  const { parameter, gradient, first, second } = inputs;
  const { beta1, beta2, epsilon, stepSize, correction, kept } = attrs;
  const outputs = [output(parameter.shape), output(parameter.shape), output(parameter.shape)];
  const pointers = [parameter, gradient, first, second, ...outputs].map(at);
  const scalars = [beta1, beta2, 1 - beta1, 1 - beta2, epsilon, stepSize, correction, kept];
  split.run("adamWStep", elements(parameter.shape, 8), (from, count) => [
    count,
    ...moved(pointers, from),
    ...scalars,
  ]);
  return outputs;
};

/** Shares the data, which tfjs-backend-wasm copies. */
const identity: Kernel = ({ inputs, backend }) => {
  backend.incRef(inputs.x.dataId);
  return { dataId: inputs.x.dataId, shape: inputs.x.shape, dtype: inputs.x.dtype };
};

export const elementwiseKernels: Record<string, Kernel> = {
  Identity: identity,
  Exp: unary(0),
  Erf: unary(1),
  Silu: unary(2),
  Gelu: unary(geluCode),
  SiluGrad: unaryGradient(() => 2),
  GeluGrad: unaryGradient(geluCode),
  Relu: clip(() => [0, Infinity]),
  Relu6: clip(() => [0, 6]),
  ClipByValue: clip(({ clipValueMin, clipValueMax }) => [clipValueMin, clipValueMax]),
  Maximum: extremum(0),
  Minimum: extremum(1),
  AdamWStep: adamWStep,
};
