import type { CLIPTokenizer } from "@dcr-js/diffusion";
import type { CLIPModel } from "@dcr-js/encoders";
import * as tf from "@tensorflow/tfjs-core";
import { nameCaption } from "../scenes/captions.js";
import { heldOutStyles, knownIdentities, seenStyles } from "../scenes/factors.js";
import { sceneSet } from "../scenes/splits.js";
import type { Sprites } from "../scenes/sprites.js";
import { imageProcessor } from "./clip.js";
import { imageBatch } from "./image-batch.js";

const SCENES = 1000;

/** Share of validation scenes whose identity is the one of the 32 names with the most similar feature. */
export function zeroShot(
  model: CLIPModel,
  tokenizer: CLIPTokenizer,
  sprites: Sprites,
): { seenStyles: number; heldOutStyle: number } {
  const names = knownIdentities.map((identity) => nameCaption({ identity }));
  const accuracy = (styles: typeof seenStyles) => {
    const pool = { identities: knownIdentities, styles };
    const set = sceneSet({ split: "validation", name: "zero-shot", count: SCENES, sprites, ...pool });
    const found = tf.tidy(() => {
      const texts = model.encodeText(tokenizer.encode(names));
      const directions = tf.div(texts, tf.norm(texts, "euclidean", 1, true)) as tf.Tensor2D;
      const images = model.encodeImage(
        imageProcessor.normalize(imageBatch(set, Array.from(set.scenes.keys()))),
      );
      // The length of an image's feature does not change which name is nearest.
      return tf.argMax(tf.matMul(images, directions, false, true), 1).dataSync();
    });
    return set.scenes.filter(({ identity }, i) => knownIdentities[found[i]] === identity).length / SCENES;
  };
  return { seenStyles: accuracy(seenStyles), heldOutStyle: accuracy(heldOutStyles) };
}
