import { Random, valueAndGradients } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { AugmentOptions, HostImage } from "../augment.js";
import { dcrTerms, reconstructionTerm } from "../objectives/condition-terms.js";
import { addGradients, OptimizedStage, type Stage, type StageOptions } from "./stage.js";
import { augmentedViews, batchIndices, noisyBatch, stackImages } from "./training-batch.js";

/**
 * Stage 1, projector alignment (Han et al. 2026, section 4.3): trains the projector alone with the reconstruction
 * loss (the paper, and the default) or the DCR loss (the reference code; N times the predictions), the encoder frozen and its
 * features computed once an image. For a second stage on the DCR loss prefer `loss: "dcr"`: else that stage goes first where the
 * projector could have gone, and pushes all predictions apart.
 */
export function createAlignmentStage(
  options: StageOptions & { loss?: "rec" | "dcr"; augment?: AugmentOptions },
): Stage {
  const { source, encoder, processor, projector, denoiser, temperature, loss = "rec" } = options;
  encoder.requiresGrad(false).train(false);
  projector.requiresGrad(true);
  const parameters = projector.trainableParameters();
  const random = new Random(options.seed).fork("align");
  const features = new Map<number, tf.Tensor2D>();
  const encode = (images: HostImage[]) =>
    tf.tidy(() => encoder.encodeImage(processor.normalize(stackImages(images, source.size))));
  const featuresOf = (indices: Int32Array): tf.Tensor2D => {
    const missing = Array.from(indices).filter((index) => !features.has(index));
    if (missing.length > 0) {
      const fresh = encode(missing.map((index) => source.image(index)));
      const rows = tf.split(fresh, missing.length);
      for (const [i, index] of missing.entries()) features.set(index, tf.keep(rows[i]) as tf.Tensor2D);
      fresh.dispose();
    }
    return tf.concat(Array.from(indices, (index) => features.get(index)!)) as tf.Tensor2D;
  };
  const stage = new OptimizedStage(options, parameters, async (number, sums) => {
    const own = random.fork(number);
    const indices = batchIndices(options.seed, source.length, options.batchSize, number);
    const batch = noisyBatch(options, indices, own.fork("noise"));
    const z = featuresOf(indices);
    const views = loss === "dcr" ? augmentedViews(source, indices, own, options.augment) : undefined;
    const zAugmented = views && encode(views);
    const h = projector.forward(z);
    const hAugmented = zAugmented && projector.forward(zAugmented);
    const terms = hAugmented
      ? dcrTerms(denoiser, batch, h, hAugmented, { temperature })
      : [reconstructionTerm(denoiser, batch, h)];
    for (const term of terms) {
      const { value, gradients } = valueAndGradients(
        () =>
          tf.tidy(() => {
            const along = tf.sum(tf.mul(projector.forward(z), term.conditions));
            if (!term.augmented) return along as tf.Scalar;
            return tf.add(along, tf.sum(tf.mul(projector.forward(zAugmented!), term.augmented))) as tf.Scalar;
          }),
        parameters,
      );
      addGradients(sums, term.name, term.weight, (await term.value.data())[0], gradients);
      tf.dispose([value, term.value, term.conditions, term.augmented ?? []]);
    }
    tf.dispose([batch.noisy, batch.target, z, h, zAugmented ?? [], hAugmented ?? []]);
  });
  return {
    step: () => stage.step(),
    state: () => stage.state(),
    restore: (state) => stage.restore(state),
    dispose: () => {
      stage.dispose();
      tf.dispose([...features.values()]);
      features.clear();
    },
  };
}
