/** A batch of training images: host memory, RGB in [0, 1], row by row, channels last. */
export interface ImageBatch {
  /** A name for each image that is stable over epochs, such as its path below the folder. */
  names: string[];
  /** Width and height of the images, in pixels. */
  size: number;
  /** The training crops, `[n, size, size, 3]`. */
  images: Float32Array;
  /** The augmented view of each image, `[n, size, size, 3]`. */
  augmented: Float32Array;
}

/** Where a source stands, as JSON: a source of the same settings restored from it goes on with the same images. */
export type SourcePosition = { [key: string]: unknown };

/**
 * A stream of batches without end, epoch after epoch. It may be larger than memory: decoding runs ahead of the reader by a
 * bounded number of batches.
 *
 * The batches are a function of the data, the settings and the seed only, so that every method sees the same images.
 */
export interface ImageSource extends AsyncIterable<ImageBatch> {
  /** Images in an epoch, where they are known. */
  readonly length?: number;
  /** Images in a batch. */
  readonly batchSize: number;
  /** Width and height of the images, in pixels. */
  readonly size: number;
  /** The position after the last batch that was handed out; batches that were read ahead do not count. */
  position(): SourcePosition;
  /**
   * Goes on from a position.
   *
   * @throws on a position of other data or other settings; the source is unchanged then
   */
  restore(position: SourcePosition): void;
  /** Stops reading ahead and ends the workers. */
  close(): Promise<void>;
}
