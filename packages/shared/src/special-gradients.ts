import * as tf from "@tensorflow/tfjs-core";
import { sumBroadcast } from "./sum-broadcast.js";

// Gradients whose own in tfjs-core are wrong at a kink, of NaN, or of operands that broadcast.

/** tfjs-core's is -1 at 0: PyTorch, TensorFlow and JAX take 0 there. */
const abs: tf.GradConfig = {
  kernelName: "Abs",
  inputsToSave: ["x"],
  gradFunc: (dy, [x]) => ({
    x: () => {
      const float = tf.cast(x, "float32");
      return tf.mul(dy as tf.Tensor, tf.sub(tf.step(float), tf.step(tf.neg(float))));
    },
  }),
};

/** tfjs-core's is 0 everywhere where the result is NaN, so that a loss of NaN would have a clean gradient: NaN gets what the result got. */
const extremum = (kernelName: "Max" | "Min"): tf.GradConfig => ({
  kernelName,
  inputsToSave: ["x"],
  outputsToSave: [true],
  gradFunc: (dy, [x, y], attrs) => ({
    x: () => {
      // tf.max says reductionIndices, and tf.min says axis.
      const { reductionIndices, axis } = attrs as unknown as Record<"reductionIndices" | "axis", number[]>;
      const axes = tf.util.parseAxisParam(reductionIndices ?? axis, x.shape);
      const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
      const [slope, result] = [dy as tf.Tensor, y].map((z) => tf.reshape(z, kept)) as [tf.Tensor, tf.Tensor];
      const isResult = tf.logicalOr(tf.equal(x, result), tf.isNaN(tf.cast(x, "float32")));
      return tf.mul(slope, tf.cast(isResult, slope.dtype));
    },
  }),
});

/** tfjs-core's fails where alpha has the larger shape. */
const prelu: tf.GradConfig = {
  kernelName: "Prelu",
  inputsToSave: ["x", "alpha"],
  gradFunc: (dy, [x, alpha]) => {
    const isPositive = tf.greater(x, 0);
    const slope = dy as tf.Tensor;
    return {
      x: () => sumBroadcast(tf.where(isPositive, slope, tf.mul(slope, alpha)), x.shape),
      alpha: () => sumBroadcast(tf.where(isPositive, tf.zerosLike(slope), tf.mul(slope, x)), alpha.shape),
    };
  },
};

/** `a / b`, and 0 where both are 0. */
function quotientOrZero(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const quotient = tf.div(a, b);
  // Not a scalar: tf.where gives an axis of none the size 1 beside one.
  return tf.where(tf.logicalAnd(tf.equal(a, 0), tf.equal(b, 0)), tf.zerosLike(quotient), quotient);
}

/**
 * tfjs-core's is NaN at a divisor of 0 where the quotient does not count: `tf.divNoNan` leaves such quotients out, and its gradient is 0
 * there, as TensorFlow's. It also divides by the square of the divisor, which float32 does not hold from 1e20 on.
 */
const quotient: tf.GradConfig = {
  kernelName: "RealDiv",
  inputsToSave: ["a", "b"],
  gradFunc: (dy, [a, b]) => {
    const divisor = () => tf.cast(b, "float32");
    return {
      a: () => sumBroadcast(quotientOrZero(dy as tf.Tensor, divisor()), a.shape),
      b: () => {
        const slope = sumBroadcast(tf.mul(dy as tf.Tensor, tf.cast(a, "float32")), b.shape);
        return tf.neg(quotientOrZero(quotientOrZero(slope, divisor()), divisor()));
      },
    };
  },
};

/** tfjs-core's is NaN for a base of 0 and a power of 0, and so is its second derivative for a power of 1: 0 times an infinity. */
const power: tf.GradConfig = {
  kernelName: "Pow",
  inputsToSave: ["a", "b"],
  outputsToSave: [true],
  gradFunc: (dy, [a, b, y]) => {
    const slope = dy as tf.Tensor;
    const base = () => tf.cast(a, "float32");
    const exponent = () => tf.cast(b, "float32");
    return {
      a: () => {
        const rest = tf.where(tf.equal(b, 0), tf.zeros(b.shape), tf.sub(exponent(), 1));
        return sumBroadcast(tf.mul(slope, tf.mul(exponent(), tf.pow(base(), rest))), a.shape);
      },
      // A base of at most 0 has no logarithm: there it is 0, as TensorFlow's.
      b: () => {
        const logarithm = tf.where(tf.greater(a, 0), tf.log(base()), tf.zeros(a.shape));
        return sumBroadcast(tf.mul(slope, tf.mul(y, logarithm)), b.shape);
      },
    };
  },
};

/** tfjs-core's is 1 at 6: PyTorch and TensorFlow take 0 at both kinks. */
const relu6: tf.GradConfig = {
  kernelName: "Relu6",
  inputsToSave: ["x"],
  gradFunc: (dy, [x]) => ({
    x: () => tf.mul(dy as tf.Tensor, tf.mul(tf.cast(tf.less(x, 6), "float32"), tf.step(x))),
  }),
};

/** Gradients that take the place of tfjs-core's own at points where those are wrong. */
export const specialGradients: readonly tf.GradConfig[] = [
  abs,
  extremum("Max"),
  extremum("Min"),
  power,
  prelu,
  quotient,
  relu6,
];
