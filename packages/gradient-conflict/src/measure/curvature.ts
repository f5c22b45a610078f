import * as tf from "@tensorflow/tfjs-core";
import { checkFloat } from "../shared/check-float.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { gradientsFor, inputsOf, type LossGradientsOptions } from "./loss-gradients.js";

export interface GradientCurvatureOptions extends LossGradientsOptions {
  /** How far the variables are moved each way, greater than 0. Default: a thousandth of their norm, at least 1e-3. */
  radius?: number;
}

/**
 * Curvature of each loss along its own gradient, `d' H d` with `d = g / |g|`: the difference of the loss's gradients at two points along it,
 * which is exact for a quadratic loss up to rounding. A large one means that a step along the gradient soon overshoots.
 *
 * Three forward and backward passes for each loss, one readback. The variables are moved and put back, so they must be variables, and the
 * losses must be the same function each time (dropout: with a fixed seed).
 *
 * @returns by loss; 0 where the gradient is zero
 * @throws as `lossGradients`, when one of `variables` is no variable, and when a curvature is not finite, with the loss's name
 */
export async function gradientCurvature(options: GradientCurvatureOptions): Promise<Record<string, number>> {
  const { radius, ...rest } = checkOptions<GradientCurvatureOptions>("gradientCurvature", options, {
    losses: true,
    variables: true,
    radius: true,
  });
  if (radius !== undefined) checkFloat("gradientCurvature: radius", radius, { above: 0 });
  if (typeof rest.losses !== "object") {
    throw new TypeError(`gradientCurvature: losses must be functions by name, got ${describe(rest.losses)}`);
  }
  const { names, tensors } = inputsOf("gradientCurvature: variables", rest.variables);
  const variables = tensors.map((tensor, i) => {
    if (tensor instanceof tf.Variable) return tensor;
    throw new TypeError(
      `gradientCurvature: variables[${JSON.stringify(names[i])}] must be a variable, got a tensor`,
    );
  });
  const losses = Object.keys(rest.losses);
  const curvatures = tf.tidy(() => {
    const { gradients } = gradientsFor("gradientCurvature", rest);
    const reach =
      radius !== undefined ? tf.scalar(radius) : tf.maximum(tf.mul(normOf(variables), 1e-3), 1e-3);
    return tf.stack(
      losses.map((name, i) => {
        const direction = unit(gradients[i]);
        const slope = (sign: number) =>
          slopeAt(rest.losses[name], { variables, direction, move: tf.mul(reach, sign) });
        return tf.div(tf.sub(slope(1), slope(-1)), tf.mul(reach, 2));
      }),
    );
  });
  const values = await curvatures.data();
  curvatures.dispose();
  return Object.fromEntries(
    losses.map((name, i) => [
      name,
      checkNumber(`gradientCurvature: the curvature of loss ${JSON.stringify(name)}`, values[i]),
    ]),
  );
}

/** The loss's slope along the direction, where the variables are moved along it. They are put back. */
function slopeAt(
  loss: () => tf.Scalar,
  at: { variables: tf.Variable[]; direction: tf.Tensor[]; move: tf.Tensor },
): tf.Tensor {
  const { variables, direction, move } = at;
  return tf.tidy(() => {
    const before = variables.map((variable) => tf.clone(variable));
    try {
      for (const [i, variable] of variables.entries()) {
        variable.assign(tf.add(before[i], tf.mul(direction[i], move)));
      }
      const { gradients } = gradientsFor("gradientCurvature", { losses: { loss }, variables });
      return tf.addN(gradients[0].map((gradient, i) => tf.sum(tf.mul(gradient, direction[i]))));
    } finally {
      for (const [i, variable] of variables.entries()) variable.assign(before[i]);
    }
  });
}

/** The norm of a list of tensors, without overflow of its squares. */
function normOf(tensors: readonly tf.Tensor[]): tf.Tensor {
  const largest = largestOf(tensors);
  return tf.mul(largest, tf.sqrt(tf.addN(tensors.map((x) => tf.sum(tf.square(tf.div(x, largest)))))));
}

/** The largest absolute value; 1 where all are zero. */
function largestOf(tensors: readonly tf.Tensor[]): tf.Tensor {
  const largest = tf.max(tf.stack(tensors.map((x) => tf.max(tf.abs(x)))));
  return tf.where(tf.equal(largest, 0), tf.onesLike(largest), largest);
}

/** The gradient at length 1; a zero one stays zero. */
function unit(gradient: readonly tf.Tensor[]): tf.Tensor[] {
  const largest = largestOf(gradient);
  const scaled = gradient.map((x) => tf.div(x, largest));
  // Between 1 and the root of the number of elements, or 0.
  const length = tf.maximum(tf.sqrt(tf.addN(scaled.map((x) => tf.sum(tf.square(x))))), 0.5);
  return scaled.map((x) => tf.div(x, length));
}
