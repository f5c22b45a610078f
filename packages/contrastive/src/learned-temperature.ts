import * as tf from "@tensorflow/tfjs-core";
import { clampAbove } from "./math/clamp-above.js";
import { checkFloat } from "./shared/check-float.js";
import { checkOptions } from "./shared/check-options.js";

/** A trained scale of similarities. */
export interface LearnedTemperature {
  /** The logarithm of the scale, as CLIP stores it; give it to the optimizer. */
  readonly logScale: tf.Variable<tf.Rank.R0>;
  /** The scale 1 / temperature, at most `1 / min`; differentiable. The caller disposes it. */
  scale(): tf.Scalar;
  /** Frees the variable. */
  dispose(): void;
}

/**
 * Makes a temperature that is trained with the model (Radford et al. 2021, section 2.5). The clamp stops growth only: beyond it, a
 * gradient that makes the scale less still passes, as where open_clip clamps the parameter after each step.
 *
 * @example
 * const temperature = learnedTemperature();
 * const loss = clipLoss(images, texts, temperature.scale());
 */
export function learnedTemperature(
  options: {
    /** The first value, at least `min`. Default 0.07. */
    initial?: number;
    /** The least value, greater than 0. Default 0.01. */
    min?: number;
  } = {},
): LearnedTemperature {
  const { initial = 0.07, min = 0.01 } = checkOptions("learnedTemperature", options, {
    initial: true,
    min: true,
  });
  checkFloat("learnedTemperature: min", min, { above: 0 });
  checkFloat("learnedTemperature: initial", initial, { min });
  const logScale = tf.tidy(() => tf.variable(tf.scalar(-Math.log(initial))));
  return {
    logScale,
    scale: () => tf.tidy(() => tf.exp(clampAbove(logScale, -Math.log(min))) as tf.Scalar),
    dispose: () => logScale.dispose(),
  };
}
