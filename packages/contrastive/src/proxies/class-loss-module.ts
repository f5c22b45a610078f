import * as tf from "@tensorflow/tfjs-core";
import type { Labels } from "../check-embeddings.js";
import { seededNormal } from "../math/seeded-normal.js";
import type { Reduced, Reduction } from "../reducers/reduce.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import type { ClassLossOptions } from "./class-weights.js";

/** A loss of class weights as a function of embeddings, labels and its options. */
export type ClassLoss = (embeddings: tf.Tensor, labels: Labels, options: never) => tf.Tensor;

/** The options of a loss of class weights. */
export type ClassLossOptionsOf<L extends ClassLoss> = Extract<Parameters<L>[2], ClassLossOptions>;

export interface ClassLossModuleOptions {
  /** Number of classes, at least 2. */
  classes: number;
  /** Width of the embeddings. */
  dim: number;
  /** Weight vectors of a class, for losses with several. Default: one, and weights of `[classes, dim]`. */
  centers?: number;
  /** Seed of the first weights, drawn from N(0, 1) and divided by their norm. Default 0. */
  seed?: number;
}

/** A loss with the weights that it trains. */
export interface ClassLossModule<O extends ClassLossOptions> {
  /** `[classes, dim]` or `[classes, centers, dim]`; give it to the optimizer beside the model's variables. */
  readonly weights: tf.Variable;
  /** The loss with these weights. */
  loss<R extends Reduction = "mean">(
    embeddings: tf.Tensor,
    labels: Labels,
    options?: Omit<O, "weights" | "reduction"> & { reduction?: R },
  ): Reduced<R>;
  /** Frees the weights. */
  dispose(): void;
}

/**
 * Makes a trainable module of a loss with class weights.
 *
 * @param loss such as {@link arcFace}
 * @returns the loss and its weights, which the caller disposes with `dispose()`
 * @throws on sizes that are no positive integers and on unknown options
 *
 * @example
 * const head = classLossModule(arcFace, { classes: 100, dim: 512 });
 * const { value, grads } = tf.variableGrads(() => head.loss(model(images), labels), [...modelVariables, head.weights]);
 */
export function classLossModule<L extends ClassLoss>(
  loss: L,
  options: ClassLossModuleOptions,
): ClassLossModule<ClassLossOptionsOf<L>> {
  const {
    classes,
    dim,
    centers,
    seed = 0,
  } = checkOptions("classLossModule", options, {
    classes: true,
    dim: true,
    centers: true,
    seed: true,
  });
  if (typeof loss !== "function") {
    throw new TypeError(`classLossModule: loss must be a function such as arcFace, got ${describe(loss)}`);
  }
  checkNumber("classLossModule: classes", classes, { min: 2, integer: true });
  checkNumber("classLossModule: dim", dim, { min: 1, integer: true });
  if (centers !== undefined) checkNumber("classLossModule: centers", centers, { min: 1, integer: true });
  checkNumber("classLossModule: seed", seed, { min: 0, integer: true });
  const weights = tf.tidy(() => {
    const drawn = seededNormal(centers ? [classes, centers, dim] : [classes, dim], seed);
    return tf.variable(tf.div(drawn, tf.norm(drawn, 2, -1, true)));
  });
  return {
    weights,
    loss: (embeddings, labels, rest) => {
      if (rest && "weights" in rest) {
        throw new TypeError('classLossModule: unknown option "weights"; the module\'s own are used');
      }
      return loss(embeddings, labels, { ...rest, weights } as never) as never;
    },
    dispose: () => weights.dispose(),
  };
}
