import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { createImageSource, type ImageSource, openImages } from "@dcr-js/data";
import type { RunConfig } from "../config/run-config.js";
import { describe } from "../shared/check-options.js";

/** Settings of a source of training images. */
export interface TrainingImagesOptions {
  /** Width and height of the images, in pixels. */
  size: number;
  batchSize: number;
  /** Of order, crops and views. */
  seed: number;
  augment: RunConfig["augment"];
  /** Whether one broken image is an error. */
  strict: boolean;
  /** Is told on one line what is skipped. */
  log: (line: string) => void;
}

/**
 * Opens the images of a configuration: a folder, tar shards, a list file, or a module whose default export makes a source.
 *
 * @throws naming what is not there, or is no source
 */
export async function openTrainingImages(
  where: string,
  options: TrainingImagesOptions,
): Promise<ImageSource> {
  if (/\.[cm]?js$/.test(where)) return importSource(where, options);
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
  if (!existsSync(path)) throw refuse("no such file");
  let module: { default?: unknown };
  try {
    module = await import(pathToFileURL(path).href);
  } catch (error) {
    throw refuse(`could not be imported (${(error as Error).message})`, error);
  }
  if (typeof module.default !== "function") {
    throw refuse(
      `the default export must be a function that makes an ImageSource, got ${describe(module.default)}`,
    );
  }
  const source: ImageSource = await module.default(options);
  for (const method of ["position", "restore", "close"] as const) {
    if (typeof source?.[method] !== "function") {
      throw refuse(`the source must have ${method}(), got ${describe(source?.[method])}`);
    }
  }
  return source;
}
