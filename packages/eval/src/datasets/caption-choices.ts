import type { ImageDataset } from "@dcr-js/data";

/**
 * Images with a caption that describes them and captions that do not, for `captionChoice`, which takes `imageOf`, `captionOf` and
 * `categories` as they are.
 */
export interface CaptionChoices {
  /** For `encodeImages`. */
  dataset: ImageDataset;
  captions: string[];
  /** The image of each caption. */
  imageOf: Int32Array;
  negatives: string[];
  /** The caption that each negative stands against. */
  captionOf: Int32Array;
  /** The category of each caption. */
  categories?: string[];
}
