import * as tf from "@tensorflow/tfjs-core";
import { describe } from "../shared/check-options.js";

/** The features that a shared trunk gives the losses: a tensor, a list of tensors, or tensors by name. */
export type Features = tf.Tensor | readonly tf.Tensor[] | Readonly<Record<string, tf.Tensor>>;

/** The tensors of features, in a fixed order. @throws when there is none, or something else among them */
export function featureTensors(features: Features): tf.Tensor[] {
  if (features instanceof tf.Tensor) return [features];
  const tensors = typeof features === "object" && features !== null ? Object.values(features) : [];
  if (tensors.length === 0 || !tensors.every((x) => x instanceof tf.Tensor)) {
    throw new TypeError(
      `backward: trunk must return a tensor, a list of tensors or tensors by name, got ${describe(features)}`,
    );
  }
  return tensors;
}

/** Runs the trunk without a tape. The features are copies, which the caller disposes: the trunk may return tensors of its caller. */
export function runTrunk<F extends Features>(trunk: () => F): F {
  return tf.tidy(() => {
    const features = trunk();
    const copies = featureTensors(features).map((x) => tf.clone(x));
    if (features instanceof tf.Tensor) return copies[0] as never;
    if (Array.isArray(features)) return copies as never;
    return Object.fromEntries(Object.keys(features).map((name, i) => [name, copies[i]])) as never;
  });
}

/**
 * The vector-Jacobian product of a trunk: its gradients at the inputs for these gradients at its features, undefined where the features do
 * not depend on an input. The caller disposes them.
 */
export function trunkGradients(
  trunk: () => Features,
  cotangents: readonly tf.Tensor[],
  inputs: tf.Tensor[],
): (tf.Tensor | undefined)[] {
  const contracted = () =>
    tf.addN(featureTensors(trunk()).map((x, i) => tf.sum(tf.mul(x, cotangents[i])))) as tf.Scalar;
  const { value, grads } = tf.engine().gradients(contracted, inputs, undefined, true);
  value.dispose();
  return grads.map((gradient) => gradient ?? undefined);
}
