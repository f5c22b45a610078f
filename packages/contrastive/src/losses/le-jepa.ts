import * as tf from "@tensorflow/tfjs-core";
import { toFloat } from "../check-embeddings.js";
import { checkFloat } from "../shared/check-float.js";
import { checkOptions } from "../shared/check-options.js";
import { type SIGRegOptions, sigReg, sigRegNames } from "./sig-reg.js";

export interface LeJEPAOptions extends SIGRegOptions {
  /** Weight of {@link sigReg} in [0, 1]; the invariance term has the rest. Default 0.05. */
  lambda?: number;
}

/**
 * LeJEPA (Balestriero and LeCun 2025, eq. 7): all views are drawn to the mean of the global ones, and {@link sigReg} keeps the rows of
 * each view normally distributed, `lambda sigReg + (1 - lambda) mean squared distance`.
 *
 * @param views `global` `[views, n, dim]`, at least one view, and `local` `[views, n, dim]`
 * @returns a scalar; the caller disposes it
 */
export function leJEPA(
  views: { global: tf.Tensor; local: tf.Tensor },
  options: LeJEPAOptions = {},
): tf.Scalar {
  const given = checkOptions("leJEPA", views, { global: true, local: true });
  const { lambda = 0.05, ...regularizer } = checkOptions<LeJEPAOptions>("leJEPA", options, {
    lambda: true,
    ...sigRegNames,
  });
  checkFloat("leJEPA: lambda", lambda, { min: 0, max: 1 });
  const [globalShape, localShape] = [given.global?.shape ?? [], given.local?.shape ?? []];
  if (
    globalShape.length !== 3 ||
    localShape.length !== 3 ||
    globalShape.includes(0) ||
    String(globalShape.slice(1)) !== String(localShape.slice(1))
  ) {
    throw new Error(
      `leJEPA: expected one global view or more, and global and local views [views, n, dim] of one n and dim, got [${globalShape}] and [${localShape}]`,
    );
  }
  return tf.tidy(() => {
    const global = toFloat("leJEPA: global", given.global);
    const all = tf.concat([global, toFloat("leJEPA: local", given.local)]);
    const invariance = tf.mean(tf.square(tf.sub(all, tf.mean(global, 0, true))));
    return tf.add(tf.mul(sigReg(all, regularizer), lambda), tf.mul(invariance, 1 - lambda)) as tf.Scalar;
  });
}
