import { type CheckedDecode, decodeBytes } from "../decode/decode-image.js";
import { nodeModule } from "../shared/node-modules.js";
import type { ImageContent } from "../sources/dataset.js";
import { applyEvalTransform, type EvalTransform } from "../transforms/eval-transform.js";
import type { RGBImage } from "../transforms/image.js";
import { type CheckedViews, trainingViews } from "../transforms/training-views.js";
import { MachineFault, readingError } from "./machine-fault.js";

/** The views that are made of every image; the same for a whole run. */
export type Recipe =
  | { kind: "training"; views: CheckedViews; seed: number; decode: CheckedDecode }
  | { kind: "evaluation"; transform: EvalTransform; decode: CheckedDecode };

/** One image to read, decode and transform. */
export interface ImageTask {
  name: string;
  content: ImageContent;
  epoch: number;
}

/** The image's views, `[height, width, 3]` each, or why there are none. */
export type ImageResult =
  | { views: Float32Array<ArrayBuffer>[]; width: number; height: number }
  | { broken: string };

/** A file above this is no image that anybody trains on. */
const maxFileBytes = 2 ** 29;

/**
 * Reads, decodes and transforms an image; a function of its arguments and the file only.
 *
 * @throws where the machine is at fault: too many open files, a disk that fails, no memory, a decoder that does not load
 */
export async function runImageTask(recipe: Recipe, task: ImageTask): Promise<ImageResult> {
  try {
    const image = await load(task.content, recipe.decode);
    if (recipe.kind === "evaluation") {
      const { data, width, height } = applyEvalTransform(image, recipe.transform);
      return { views: [data as Float32Array<ArrayBuffer>], width, height };
    }
    const { seed, views } = recipe;
    const { size } = views;
    const { image: plain, augmented } = trainingViews(image, views, {
      seed,
      epoch: task.epoch,
      name: task.name,
    });
    return { views: [plain, augmented] as Float32Array<ArrayBuffer>[], width: size, height: size };
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof MachineFault || /allocation failed/i.test(message)) {
      throw new Error(`${task.name}: ${message}`, { cause: error });
    }
    return { broken: message };
  }
}

async function load(content: ImageContent, decode: CheckedDecode): Promise<RGBImage> {
  if ("broken" in content) throw new Error(content.broken);
  if ("image" in content) return content.image;
  return decodeBytes("bytes" in content ? content.bytes : await readImageFile(content.path), decode);
}

async function readImageFile(path: string): Promise<Uint8Array> {
  const { readFile, stat } = nodeModule("node:fs/promises");
  const refuse = (error: NodeJS.ErrnoException): never => {
    throw readingError(error);
  };
  const found = await stat(path).catch(refuse);
  // A pipe or a device would never end.
  if (!found.isFile()) throw new Error("is no file");
  if (found.size > maxFileBytes) throw new Error(`has ${found.size} bytes, more than ${maxFileBytes}`);
  return readFile(path).catch(refuse);
}
