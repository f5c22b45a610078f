import type { TrainingImagesOptions } from "@dcr-js/cli";
import { createImageSource, type ImageSource, imageArray } from "@dcr-js/data";
import { knownIdentities, seenStyles } from "./scenes/factors.js";
import { type SceneSet, sceneSet } from "./scenes/splits.js";
import { loadSprites } from "./scenes/sprites.js";

/** More than 900 steps of batches of 8 see. */
const SCENES = 8_000;

/** Every job of a run opens a source of its own, on the same scenes. */
let pool: SceneSet | undefined;

/**
 * A module for `--images` of the command: scenes of the training split with the identities and styles that CLIP is trained on, so that unknown
 * identities and the held-out style stay unseen.
 *
 * Images are used whole, since a detail at the edge may count; the augmented view is cut, coloured and flipped as the options say.
 */
export default async function createSource(options: TrainingImagesOptions): Promise<ImageSource> {
  const { size, batchSize, seed, augment, strict } = options;
  const { colorJitter, hue, horizontalFlip, verticalFlip } = augment;
  if (pool?.size !== size) {
    const sprites = await loadSprites();
    pool = sceneSet({
      split: "train",
      name: "pool",
      count: SCENES,
      size,
      sprites,
      identities: knownIdentities,
      styles: seenStyles,
    });
  }
  const { images } = pool;
  const bytes = size * size * 3;
  const dataset = imageArray(
    Array.from({ length: SCENES }, (_, i) => ({
      name: `scene-${i}`,
      image: { data: images.subarray(i * bytes, (i + 1) * bytes), width: size, height: size },
    })),
  );
  return createImageSource(dataset, {
    size,
    batchSize,
    seed,
    strict,
    crop: "center",
    augment: {
      ...{ brightness: colorJitter, contrast: colorJitter, saturation: colorJitter },
      ...{ hue, horizontalFlip, verticalFlip },
    },
    // A view takes a fraction of a millisecond: less than it costs to hand it to a thread.
    workers: 0,
  });
}
