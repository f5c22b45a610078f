import type { ImageBatch } from "@dcr-js/data";
import { accumulateGradients, type Parameter, type Random, valueAndGradients } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { Objective, ObjectiveTerm, Predictor } from "../objectives/objective.js";
import type { Projector } from "../projector.js";
import { backpropagateInMicroBatches, type EncodedImages, encodeInMicroBatches } from "./encode-images.js";
import { checkPosterior, checkPrediction, noisyBatch } from "./noisy-batch.js";
import { sumOverRanks } from "./reduce-over-ranks.js";
import type { Adapters, StageSettings } from "./stage-options.js";
import { type TensorScope, withTensorScope } from "./tensor-scope.js";

/** What a stage trains. At least one of the two. */
export interface Trained {
  /** The encoder's part; without it the encoder is frozen. */
  adapters?: Adapters;
  projector: boolean;
}

/** A frozen encoder's features of host images, which a stage may keep. */
export type FrozenFeatures = (
  images: Float32Array,
  encode: (images: Float32Array) => tf.Tensor,
) => Promise<tf.Tensor>;

/** One loss of a batch, or the weighted sum of several, with its gradient at what trains. */
export interface LossGradients {
  name: string;
  weight: number;
  /** This rank's share of the values that are reported, by the losses' names. */
  values: Record<string, number>;
  /** This rank's share of the term's own value. */
  value: number;
  metrics: Record<string, number>;
  /** This rank's share, one for each parameter: the encoder's, then the projector's. */
  gradients: tf.Tensor[];
}

/** A rank's `[n, ...]` of a batch, and the whole batch's `[N, ...]`. */
interface Shared {
  own: tf.Tensor;
  all: tf.Tensor;
}

/**
 * Losses and gradients of one batch: encode without a graph, ask the objective, carry its gradients through the projector and,
 * a micro-batch at a time, through the encoder. The caller disposes the gradients.
 *
 * @param random of this batch alone
 */
export async function batchGradients(
  settings: StageSettings,
  trained: Trained,
  batch: ImageBatch,
  random: Random,
  frozenFeatures?: FrozenFeatures,
): Promise<LossGradients[]> {
  const { objective, communicator, projector } = settings;
  const n = batch.names.length;
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
    });
    scope.own(terms);

    const results: LossGradients[] = [];
    for (const term of apart ? terms : [scope.own(weightedSum(terms))]) {
      const gradients = await withTensorScope(async (inner) => {
        const { features, augmented: dViews, conditions, augmentedConditions } = term;
        const reduced = await sumOverRanks(communicator, {
          features,
          augmented: dViews,
          conditions,
          augmentedConditions,
        });
        inner.own(reduced);
        const own = (x: tf.Tensor | undefined) => x && inner.own(tf.slice(x, communicator.rank * n, n));
        return backward(trained, projector, pass, inner, [
          { encoded: images.own, dFeatures: own(reduced.features), dConditions: own(reduced.conditions) },
          ...(augmented
            ? [
                {
                  encoded: augmented.own,
                  dFeatures: own(reduced.augmented),
                  dConditions: own(reduced.augmentedConditions),
                },
              ]
            : []),
        ]);
      });
      results.push({ ...(await readTerm(term)), gradients });
    }
    return results;
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
  for (const own of tensors) shared.push({ own, all: scope.own(await communicator.allGather(own)) });
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

function askObjective(objective: Objective, input: Parameters<Objective["terms"]>[0]): ObjectiveTerm[] {
  const terms = tf.tidy(() => objective.terms(input) as never) as ObjectiveTerm[];
  if (!Array.isArray(terms) || terms.length === 0) {
    throw new Error(`objective ${objective.name}: terms must return an array of one loss or more`);
  }
  const shapes = {
    features: input.features.shape,
    augmented: input.augmented?.shape,
    conditions: input.predictor?.conditions.shape,
    augmentedConditions: input.predictor?.augmentedConditions?.shape,
  };
  const names = terms.map(({ name }) => name);
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) {
    tf.dispose(terms as unknown as tf.TensorContainer);
    throw new Error(`objective ${objective.name}: two losses have the name ${repeated}`);
  }
  for (const term of terms) {
    for (const [key, shape] of Object.entries(shapes)) {
      const gradient = term[key as keyof typeof shapes];
      if (gradient === undefined || String(gradient.shape) === String(shape)) continue;
      tf.dispose(terms as unknown as tf.TensorContainer);
      throw new Error(
        `objective ${objective.name}: the gradient of ${term.name} at ${key} must be [${shape}], got [${gradient.shape}]`,
      );
    }
  }
  return terms;
}

/** The terms as one, with the weighted sum of their gradients. The caller disposes the gradients. */
function weightedSum(terms: readonly ObjectiveTerm[]): ObjectiveTerm {
  return tf.tidy(() => {
    const sum = <T extends tf.Tensor>(pick: (term: ObjectiveTerm) => T | undefined) => {
      const parts = terms.flatMap((term) => {
        const part = pick(term);
        return part ? [tf.mul(part, term.weight)] : [];
      });
      return parts.length > 0 ? (tf.addN(parts) as T) : undefined;
    };
    return {
      name: terms.map(({ name }) => name).join("+"),
      weight: 1,
      value: sum(({ value }) => value)!,
      parts: terms.flatMap(({ name, weight, value, parts }) =>
        (parts ?? [{ name, weight: 1, value }]).map((part) => ({
          ...part,
          weight: weight * part.weight,
          value: tf.clone(part.value),
        })),
      ),
      metrics: Object.assign(
        {},
        ...terms.map(({ metrics = {} }) =>
          Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, tf.clone(value)])),
        ),
      ),
      features: sum(({ features }) => features),
      augmented: sum(({ augmented }) => augmented),
      conditions: sum(({ conditions }) => conditions),
      augmentedConditions: sum(({ augmentedConditions }) => augmentedConditions),
    } as never;
  }) as unknown as ObjectiveTerm;
}

/** Encoded images, and a loss's gradients at their features and at their conditions. */
interface Cotangents {
  encoded: tf.Tensor;
  dFeatures?: tf.Tensor;
  dConditions?: tf.Tensor;
}

/** Carries gradients through the projector and the encoder to what trains. */
function backward(
  { adapters, projector: projectorTrains }: Trained,
  projector: Projector,
  pass: EncodedImages,
  scope: TensorScope,
  cotangents: Cotangents[],
): tf.Tensor[] {
  const gradients: tf.Tensor[] = [];
  if (adapters) {
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
    gradients.push(...backpropagateInMicroBatches(pass, adapters.parameters(), all));
  }
  if (projectorTrains) {
    let sum: tf.Tensor[] | undefined;
    const parameters: Parameter[] = projector.parameters();
    for (const { encoded, dConditions } of cotangents) {
      if (!dConditions) continue;
      const { value, gradients: own } = valueAndGradients(
        () => tf.tidy(() => tf.sum(tf.mul(projector.forward(encoded), dConditions)) as tf.Scalar),
        parameters,
      );
      value.dispose();
      sum = accumulateGradients(sum, own);
    }
    gradients.push(...(sum ?? parameters.map(({ shape }) => tf.zeros(shape))));
  }
  return gradients;
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

/** Reads the values of a term, in one go. */
async function readTerm(term: ObjectiveTerm): Promise<Omit<LossGradients, "gradients">> {
  const { name, weight, value, parts, metrics = {} } = term;
  const reported = parts ?? [{ name, value }];
  const scalars = [value, ...reported.map((part) => part.value), ...Object.values(metrics)];
  const read = await Promise.all(scalars.map(async (scalar) => (await scalar.data())[0]));
  const metricNames = Object.keys(metrics);
  return {
    name,
    weight,
    value: read[0],
    values: Object.fromEntries(reported.map((part, i) => [part.name, read[1 + i]])),
    metrics: Object.fromEntries(metricNames.map((metric, i) => [metric, read[1 + reported.length + i]])),
  };
}
