import type { LoRA } from "@dcr-js/encoders";
import { Random, valueAndGradients } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import type { AugmentOptions } from "../augment.js";
import type { Method } from "../objectives/methods.js";
import { addGradients, OptimizedStage, type Stage, type StageOptions } from "./stage.js";
import { augmentedViews, batchIndices, noisyBatch, stackImages } from "./training-batch.js";

export interface EnhanceOptions extends StageOptions {
  method: Method;
  /** The adapters to train, on the same encoder. */
  lora: LoRA;
  augment?: AugmentOptions;
}

/**
 * Stage 2, encoder enhancement (Han et al. 2026, section 4.3): trains the encoder's LoRA, everything else frozen.
 *
 * Features are computed without a graph, the method gives the losses' gradients at the features, and one more pass
 * through the encoder carries each on to the adapters.
 */
export function createEnhancementStage(options: EnhanceOptions): Stage {
  const { source, encoder, processor, projector, denoiser, lora, method, temperature = 0.1 } = options;
  projector.requiresGrad(false);
  const parameters = lora.parameters();
  const random = new Random(options.seed).fork("enhance");
  return new OptimizedStage(options, parameters, async (number, sums) => {
    // An evaluation between two steps turns dropout off.
    encoder.train(true);
    const own = random.fork(number);
    const indices = batchIndices(options.seed, source.length, options.batchSize, number);
    const n = indices.length;
    const batch = noisyBatch(options, indices, own.fork("noise"));
    const images = Array.from(indices, (index) => source.image(index));
    const pixels = tf.tidy(() =>
      processor.normalize(
        stackImages([...images, ...augmentedViews(source, indices, own, options.augment)], source.size),
      ),
    ) as tf.Tensor4D;
    const masks = own.fork("dropout").state;
    const encode = () => {
      // Every pass of a step drops the same inputs.
      lora.random.state = masks;
      return encoder.encodeImage(pixels);
    };
    const z = tf.tidy(encode);
    const [features, augmented] = tf.split(z, 2) as [tf.Tensor2D, tf.Tensor2D];
    const terms = method({ features, augmented, batch, denoiser, projector, temperature });
    for (const term of terms) {
      const dz = tf.tidy(() =>
        tf.concat([term.features, term.augmented ?? tf.zeros([n, features.shape[1]])]),
      );
      const { value, gradients } = valueAndGradients(
        () => tf.tidy(() => tf.sum(tf.mul(encode(), dz)) as tf.Scalar),
        parameters,
      );
      addGradients(sums, term.name, term.weight, (await term.value.data())[0], gradients);
      tf.dispose([dz, value, term.value, term.features, term.augmented ?? []]);
    }
    tf.dispose([batch.noisy, batch.target, pixels, z, features, augmented]);
  });
}
