import { supCon } from "@dcr-js/contrastive";
import type { Denoiser, NoisyBatch } from "@dcr-js/diffusion";
import * as tf from "@tensorflow/tfjs-core";
import type { Projector } from "../projector.js";
import { type ConditionTerm, dcrTerms, reconstructionTerm } from "./condition-terms.js";

/** A loss on features, and its gradient there. */
export interface FeatureTerm {
  name: string;
  /** Its share in the sum that is minimised. */
  weight: number;
  value: tf.Scalar;
  /** Gradient at `z`, `[N, d]`. */
  features: tf.Tensor2D;
  /** Gradient at the augmented views' `z`, `[N, d]`, where the loss uses them. */
  augmented?: tf.Tensor2D;
}

/** What a method's loss is a function of. The tensors are the trainer's. */
export interface MethodInput {
  /** `z`, `[N, d]`. */
  features: tf.Tensor2D;
  /** `z` of the augmented views, `[N, d]`. */
  augmented: tf.Tensor2D;
  batch: NoisyBatch;
  denoiser: Denoiser;
  projector: Projector;
  temperature: number;
}

/**
 * A training objective: from features to losses and their gradients at the features. The trainer carries the
 * gradients on to the encoder, records how they conflict and takes the step along their weighted sum, or what its
 * aggregator makes of them.
 * The trainer disposes what it returns.
 */
export type Method = (input: MethodInput) => FeatureTerm[];

/** A method from any differentiable loss on the features of images, of their augmented views, or of both. */
export function featureMethod(
  name: string,
  loss: (features: tf.Tensor2D, augmented: tf.Tensor2D, input: MethodInput) => tf.Scalar,
): Method {
  return (input) => {
    const { value, grads } = tf.valueAndGrads((z: tf.Tensor, a: tf.Tensor) => {
      // tfjs refuses an input that the loss does not depend on; this gives it a gradient of zero.
      const nothing = tf.mul(tf.add(tf.sum(z), tf.sum(a)), 0);
      return tf.add(loss(z as tf.Tensor2D, a as tf.Tensor2D, input), nothing) as tf.Scalar;
    })([input.features, input.augmented]);
    const [features, augmented] = grads as [tf.Tensor2D, tf.Tensor2D];
    return [{ name, weight: 1, value: value as tf.Scalar, features, augmented }];
  };
}

/** Carries the gradients of losses on predictions through the frozen projector to the features. */
function throughProjector(projector: Projector, input: MethodInput, terms: ConditionTerm[]): FeatureTerm[] {
  const back = (z: tf.Tensor2D, dh: tf.Tensor2D) =>
    tf.grad((x) => projector.forward(x as tf.Tensor2D))(z, dh) as tf.Tensor2D;
  return terms.map(({ name, weight, value, conditions, augmented }) => {
    const term: FeatureTerm = { name, weight, value, features: back(input.features, conditions) };
    if (augmented) term.augmented = back(input.augmented, augmented);
    tf.dispose([conditions, augmented ?? []]);
    return term;
  });
}

/** Each image's augmented view is its one positive, the other images and views its negatives. */
const con = featureMethod("con", (z, augmented, { temperature }) => {
  const labels = Array.from({ length: 2 * z.shape[0] }, (_, i) => i % z.shape[0]);
  return supCon(tf.concat([z, augmented]) as tf.Tensor2D, labels, { temperature });
});

const rec: Method = (input) => {
  const h = input.projector.forward(input.features);
  const terms = [reconstructionTerm(input.denoiser, input.batch, h)];
  h.dispose();
  return throughProjector(input.projector, input, terms);
};

const dcr: Method = (input) => {
  const [h, augmented] = [input.features, input.augmented].map((z) => input.projector.forward(z));
  const terms = dcrTerms(input.denoiser, input.batch, h, augmented, { temperature: input.temperature });
  tf.dispose([h, augmented]);
  return throughProjector(input.projector, input, terms);
};

/** The naive joint objective, `lambdaCon L_con + lambdaRec L_rec`, both 1 by default. */
export function jointMethod({ lambdaCon = 1, lambdaRec = 1 } = {}): Method {
  const weighted = (terms: FeatureTerm[], weight: number) => terms.map((term) => ({ ...term, weight }));
  return (input) => [...weighted(con(input), lambdaCon), ...weighted(rec(input), lambdaRec)];
}

/** The paper's comparison (Han et al. 2026, section 5): all but `original`, which trains nothing. */
export const methods = {
  /** The reconstruction loss alone (DIVA, GenHancer). */
  rec,
  /** A contrastive loss on the features alone. */
  con,
  /** Both, summed with equal weights: the naive joint objective. */
  naive: jointMethod(),
  /** The contrastive loss on predicted noise. */
  dcr,
} satisfies Record<string, Method>;

export type MethodName = keyof typeof methods;
