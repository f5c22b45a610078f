import type { ImageBatch } from "@dcr-js/data";
import type { Random } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { ObjectiveTerm, Predictor } from "../objectives/objective.js";
import { backward, type Trained } from "./backward.js";
import { type EncodedImages, encodeInMicroBatches } from "./encode-images.js";
import { checkPosterior, checkPrediction, noisyBatch } from "./noisy-batch.js";
import { askObjective, readTerm, type TermValues, weightedSum } from "./objective-terms.js";
import { sumOverRanks } from "./reduce-over-ranks.js";
import type { StageSettings } from "./stage-options.js";
import { type TensorScope, withTensorScope } from "./tensor-scope.js";

/** A frozen encoder's features of host images, which a stage may keep. */
export type FrozenFeatures = (
  images: Float32Array,
  encode: (images: Float32Array) => tf.Tensor,
) => Promise<tf.Tensor>;

/** One loss of a batch, or the weighted sum of several, with its gradient at what trains. */
export interface TermGradients extends TermValues {
  /** This rank's share, one for each parameter: the encoder's, then the projector's. */
  gradients: tf.Tensor[];
}

export interface BatchInput {
  batch: ImageBatch;
  /** Random numbers of this batch only. */
  random: Random;
  frozenFeatures?: FrozenFeatures;
  /** What the objective remembers from the step before. */
  memory?: readonly number[];
}

/** A rank's `[n, ...]` of a batch, and the whole batch's `[N, ...]`. */
interface Shared {
  own: tf.Tensor;
  all: tf.Tensor;
}

/**
 * Losses and gradients of one batch: encode without a graph, ask the objective, carry its gradients through the projector and,
 * a micro-batch at a time, through the encoder. The caller disposes the gradients.
 */
export async function batchGradients(
  settings: StageSettings,
  trained: Trained,
  { batch, random, frozenFeatures, memory }: BatchInput,
): Promise<TermGradients[]> {
  const { objective, communicator } = settings;
  return withTensorScope(async (scope) => {
    const pass = imagePass(settings, trained, batch, random);
    const encode = (images: Float32Array) => encodeInMicroBatches({ ...pass, images });
    const ownFeatures = scope.own(
      await (frozenFeatures ? frozenFeatures(pass.images, encode) : encode(pass.images)),
    );
    // Images and views go through the encoder together and are apart from here on.
    const [images, augmented] = await gatherOverRanks(
      settings,
      scope,
      scope.own(tf.split(ownFeatures, pass.images.length / batch.images.length)),
    );
    const features = scope.own(featuresOf(images.all));
    const views = augmented && scope.own(featuresOf(augmented.all));
    const predictor = objective.usesPredictions
      ? await preparePredictions(settings, scope, batch, random, images.all, augmented?.all)
      : undefined;
    const apart = settings.conflict || settings.aggregator !== undefined;
    const terms = askObjective(objective, {
      features,
      augmented: views,
      predictor,
      processes: communicator.size,
      apart,
      ...(memory && { memory }),
    });
    scope.own(terms);

    const results: TermGradients[] = [];
    try {
      for (const term of apart ? terms : [scope.own(weightedSum(terms))]) {
        const figures = await readTerm(term);
        const gradients = await termGradients(settings, trained, pass, term, { images, augmented });
        results.push({ ...figures, gradients });
      }
    } catch (error) {
      tf.dispose(results.map(({ gradients }) => gradients));
      throw error;
    }
    return results;
  });
}

/** A term's gradient at what trains: its gradients at features and conditions, summed over the ranks, for this rank's images. */
function termGradients(
  { communicator, projector }: StageSettings,
  trained: Trained,
  pass: EncodedImages,
  term: ObjectiveTerm,
  { images, augmented }: { images: Shared; augmented?: Shared },
): Promise<tf.Tensor[]> {
  return withTensorScope(async (scope) => {
    const { features, augmented: views, conditions, augmentedConditions } = term;
    const sums = scope.own(
      await sumOverRanks(communicator, { features, views, conditions, augmentedConditions }),
    );
    const n = images.own.shape[0];
    const own = (x: tf.Tensor | undefined) => x && scope.own(tf.slice(x, communicator.rank * n, n));
    const cotangents = [
      { encoded: images.own, dFeatures: own(sums.features), dConditions: own(sums.conditions) },
    ];
    if (augmented) {
      const dConditions = own(sums.augmentedConditions);
      cotangents.push({ encoded: augmented.own, dFeatures: own(sums.views), dConditions });
    }
    return backward(trained, projector, pass, scope, cotangents);
  });
}

/** How this batch's images, and its views where the objective uses them, go through the encoder. */
function imagePass(
  { objective, encoder, processor, encoderMicroBatch, localTokens, communicator }: StageSettings,
  { adapters }: Trained,
  batch: ImageBatch,
  random: Random,
): EncodedImages {
  const images = new Float32Array(batch.images.length * (objective.usesAugmented ? 2 : 1));
  images.set(batch.images);
  if (objective.usesAugmented) images.set(batch.augmented, batch.images.length);
  return {
    encoder,
    processor,
    images,
    size: batch.size,
    microBatch: encoderMicroBatch,
    ...(localTokens > 0 && { localTokens: { share: localTokens, random: random.fork("local-tokens") } }),
    ...(adapters?.random && {
      dropout: { source: adapters.random, masks: random.fork("dropout").fork(communicator.rank) },
    }),
  };
}

/** Each of a rank's tensors beside the same of all ranks. */
async function gatherOverRanks(
  { communicator }: StageSettings,
  scope: TensorScope,
  tensors: tf.Tensor[],
): Promise<Shared[]> {
  const shared: Shared[] = [];
  // One after the other: all ranks must gather in the same order.
  for (const own of tensors) {
    const all = scope.own(await communicator.allGather(own));
    const expected = own.shape[0] * communicator.size;
    if (all.shape[0] !== expected) {
      throw new Error(
        `communicator: ${communicator.size} ranks with batches of ${own.shape[0]} have ${expected} images, ` +
          `gathered ${all.shape[0]}; all ranks need one batch size`,
      );
    }
    shared.push({ own, all });
  }
  return shared;
}

/** The feature of each image: what the encoder gave, or the first of its tokens. */
function featuresOf(encoded: tf.Tensor): tf.Tensor2D {
  if (encoded.rank === 2) return tf.clone(encoded) as tf.Tensor2D;
  const [n, , d] = encoded.shape;
  return tf.tidy(() => tf.reshape(tf.slice(encoded, [0, 0, 0], [n, 1, d!]), [n, d!]));
}

/** Noise, conditions and the denoiser's preparation. */
async function preparePredictions(
  settings: StageSettings,
  scope: TensorScope,
  batch: ImageBatch,
  random: Random,
  encoded: tf.Tensor,
  augmented?: tf.Tensor,
): Promise<Predictor> {
  const { latents, denoiser, projector, chunk, communicator } = settings;
  const n = batch.names.length;
  const posterior = scope.own(await latents.encode(batch.images, batch.size));
  checkPosterior(posterior, n, denoiser.latentChannels);
  const { noisy, target, timesteps } = noisyBatch(settings, posterior, random.fork("noise"));
  scope.own([noisy, target]);
  const prepared = scope.own(denoiser.prepare(noisy, timesteps));
  return {
    conditions: scope.own(projector.forward(encoded)),
    augmentedConditions: augmented && scope.own(projector.forward(augmented)),
    target,
    offset: communicator.rank * n,
    chunk,
    predict: (rows, conditions) => {
      const predicted: unknown = denoiser.predict(prepared, rows, conditions);
      checkPrediction(predicted, [rows.length, ...target.shape.slice(1)]);
      return predicted;
    },
  };
}
