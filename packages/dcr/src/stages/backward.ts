import type { Parameter } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Projector } from "../projector.js";
import { backpropagateInMicroBatches, type EncodedImages } from "./encode-images.js";
import type { Adapters } from "./stage-options.js";
import { sumOfGradients } from "./sum-of-gradients.js";
import type { TensorScope } from "./tensor-scope.js";

/** The parts that a stage trains. At least one of the two. */
export interface Trained {
  /** The encoder's part; without it the encoder is frozen. */
  adapters?: Adapters;
  projector: boolean;
}

/** Encoded images, and a loss's gradients at their features and at their conditions. */
export interface Cotangents {
  encoded: tf.Tensor;
  dFeatures?: tf.Tensor;
  dConditions?: tf.Tensor;
}

/** Carries gradients through the projector and the encoder to what trains. The caller disposes them. */
export function backward(
  { adapters, projector: projectorTrains }: Trained,
  projector: Projector,
  pass: EncodedImages,
  scope: TensorScope,
  cotangents: Cotangents[],
): tf.Tensor[] {
  const ofProjector = projectorTrains ? projectorGradients(projector, cotangents) : [];
  try {
    const ofAdapters = adapters ? adapterGradients(adapters, projector, pass, scope, cotangents) : [];
    return [...ofAdapters, ...ofProjector];
  } catch (error) {
    tf.dispose(ofProjector);
    throw error;
  }
}

function adapterGradients(
  adapters: Adapters,
  projector: Projector,
  pass: EncodedImages,
  scope: TensorScope,
  cotangents: Cotangents[],
): tf.Tensor[] {
  const dEncoded = cotangents.map(({ encoded, dFeatures, dConditions }) =>
    scope.own(
      tf.tidy(() => {
        const direct = dFeatures ? atFirstToken(dFeatures, encoded.shape) : tf.zerosLike(encoded);
        if (!dConditions) return direct;
        return tf.add(direct, tf.grad((x) => projector.forward(x))(encoded, dConditions));
      }),
    ),
  );
  const all = scope.own(tf.concat(dEncoded));
  return backpropagateInMicroBatches(pass, adapters.parameters(), all);
}

function projectorGradients(projector: Projector, cotangents: Cotangents[]): tf.Tensor[] {
  const parameters: Parameter[] = projector.parameters();
  const parts = cotangents.flatMap(({ encoded, dConditions }) =>
    dConditions ? [{ encoded, dConditions }] : [],
  );
  const gradients = sumOfGradients(
    parameters,
    parts,
    ({ encoded, dConditions }) => tf.sum(tf.mul(projector.forward(encoded), dConditions)) as tf.Scalar,
  );
  return gradients ?? parameters.map(({ shape }) => tf.zeros(shape));
}

/** A gradient at the features as one at what the encoder gave: zero at its local tokens. */
function atFirstToken(dFeatures: tf.Tensor, [n, tokens, d]: number[]): tf.Tensor {
  if (d === undefined) return tf.clone(dFeatures);
  return tf.pad(tf.reshape(dFeatures, [n, 1, d]), [
    [0, 0],
    [0, tokens - 1],
    [0, 0],
  ]);
}
