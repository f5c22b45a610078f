import { statSync } from "node:fs";
import { createImageSource, type ImageSource, openImages } from "@dcr-js/data";
import { importDefault, isModulePath } from "../config/import-default.js";
import type { RunConfig } from "../config/run-config.js";
import { describe } from "../shared/check-options.js";
import { messageOf } from "../shared/message-of.js";

/** Settings of a source of training images. */
export interface TrainingImagesOptions {
  /** Width and height of the images, in pixels. */
  size: number;
  batchSize: number;
  /** The seed of order, crops and views. */
  seed: number;
  augment: RunConfig["augment"];
  /** Whether one broken image is an error. */
  strict: boolean;
  /** Is told on one line what is skipped. */
  log: (line: string) => void;
}

/** Whether images come from a module that makes a source. A folder may be called `three.js`. */
export const isImageModule = (where: string): boolean =>
  isModulePath(where) && !statSync(where, { throwIfNoEntry: false })?.isDirectory();

/**
 * Opens the images of a configuration: a folder, tar shards, a list file, or a module whose default export makes a source.
 *
 * @throws naming what is not there, or is no source
 */
export async function openTrainingImages(
  where: string,
  options: TrainingImagesOptions,
): Promise<ImageSource> {
  if (isImageModule(where)) return importSource(where, options);
  const { size, batchSize, seed, augment, strict, log } = options;
  const { colorJitter, hue, horizontalFlip, verticalFlip } = augment;
  return createImageSource(await openImages(where, { log }), {
    size,
    batchSize,
    seed,
    strict,
    onBroken: ({ name, reason }) => log(`skipped: ${name} ${reason}`),
    augment: {
      brightness: colorJitter,
      contrast: colorJitter,
      saturation: colorJitter,
      hue,
      horizontalFlip,
      verticalFlip,
    },
  });
}

async function importSource(path: string, options: TrainingImagesOptions): Promise<ImageSource> {
  const refuse = (why: string, cause?: unknown) => new Error(`--images: ${path}: ${why}`, { cause });
  const make = await importDefault(path).catch((error: Error) => {
    throw refuse(error.message, error);
  });
  if (typeof make !== "function") {
    throw refuse(`the default export must be a function that makes an ImageSource, got ${describe(make)}`);
  }
  let source: ImageSource;
  try {
    source = await make(options);
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  for (const method of ["position", "restore", "close"] as const) {
    if (typeof source?.[method] !== "function") {
      throw refuse(`the source must have ${method}(), got ${describe(source?.[method])}`);
    }
  }
  // A source that ignores what it was asked for would train with other settings than the run's.
  for (const name of ["batchSize", "size"] as const) {
    if (source[name] === options[name]) continue;
    throw refuse(
      `the source must have the ${name} that it is asked for, ${options[name]}, got ${describe(source[name])}`,
    );
  }
  return source;
}
