import type { TrainingImagesOptions } from "@dcr-js/cli";
import type { ImageSource } from "@dcr-js/data";
import { itemIndices, loadEmoji } from "./data/emoji.js";
import { IMAGE_SIZE } from "./data/images.js";
import { emojiSource } from "./emoji-source.js";

/** What `--images` of the command takes: the emoji that models may be trained on. */
export default async function createSource({
  size,
  batchSize,
  seed,
  augment,
}: TrainingImagesOptions): Promise<ImageSource> {
  if (size !== IMAGE_SIZE) {
    throw new Error(
      `emoji: the encoder takes images of ${size} x ${size}, expected ${IMAGE_SIZE} x ${IMAGE_SIZE}`,
    );
  }
  const { items, images } = await loadEmoji();
  // A skin tone is nearly the same picture: as a negative it would ask to tell apart what looks alike.
  const rows = itemIndices(items, ({ split, code, baseCode }) => split === "train" && code === baseCode);
  return emojiSource({ images, rows, batchSize, seed, augment });
}
