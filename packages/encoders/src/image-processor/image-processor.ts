import { parseConfig, parseJsonObject, readModelFile } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";
import { describe } from "../shared/check-options.js";

/** Pillow's interpolations, by their codes. */
const resamples = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;

const edge = z.int().min(1).max(16_384);
const sizeObject = z.union([
  z.strictObject({ height: edge, width: edge }),
  z.strictObject({ shortest_edge: edge, longest_edge: z.null().optional() }),
]);
const size = z.union([edge, z.tuple([edge, edge]), sizeObject], {
  error: "expected pixels from 1 to 16384: an edge, [height, width], { height, width } or { shortest_edge }",
});
const colour = z.union([z.number().min(-1e4).max(1e4), z.tuple([z.number(), z.number(), z.number()])], {
  error: "expected a number or three",
});

/** The supported keys of preprocessor_config.json; those that are absent have the class's defaults. */
const schema = z.object({
  do_resize: z.boolean().optional(),
  size: size.optional(),
  default_to_square: z.boolean().optional(),
  resample: z.int().min(0).max(5).optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: size.optional(),
  do_rescale: z.boolean().optional(),
  rescale_factor: z.number().positive().max(1e4).optional(),
  do_normalize: z.boolean().optional(),
  image_mean: colour.optional(),
  image_std: colour
    .refine((values) => [values].flat().every((value) => value > 0), { error: "expected numbers above 0" })
    .optional(),
});

const harmless = [
  "auto_map",
  "data_format",
  "device",
  "disable_grouping",
  // Images are RGB before they come here.
  "do_convert_rgb",
  "feature_extractor_type",
  "image_processor_type",
  "image_seq_length",
  "input_data_format",
  "model_input_names",
  "processor_class",
  "return_tensors",
];
const neutral = { do_pad: [false], pad_size: [null], use_square_size: [false] };

/** The settings in preprocessor_config.json; null and what is left out stand for the class's defaults. */
export type ImageProcessorConfig = { [K in keyof z.infer<typeof schema>]?: z.infer<typeof schema>[K] | null };

/** How an image is prepared before it becomes a tensor: the options of `applyEvalTransform` of `@dcr-js/data`. */
export interface ImageTransform {
  /** Where an image is resized to: its shortest edge, or both edges; undefined where it is not resized. */
  resize?: { shortestEdge: number } | { height: number; width: number };
  /** The centre that is cut out after resizing, padded with black; undefined where nothing is cut. */
  crop?: { height: number; width: number };
  /** Interpolation for resizing, by Pillow's name. */
  resample: (typeof resamples)[number];
  /** Factor on pixel values in 0..255. */
  rescaleFactor: number;
  /** The mean that is subtracted from each rescaled channel, and the deviation that divides it then; undefined where there is no such step. */
  normalize?: { mean: [number, number, number]; std: [number, number, number] };
}

/** The differences between the image processors of transformers. */
export interface ImageProcessorClass {
  /** transformers' name of the class. */
  name: string;
  /** Its names in files: those of its faster and of its older forms. */
  types: readonly string[];
  size: z.infer<typeof sizeObject>;
  crop: { height: number; width: number } | undefined;
  mean: [number, number, number];
  std: [number, number, number];
}

/** How {@link ImageProcessor} parses: unknown keys that may be ignored. */
export interface ImageProcessorOptions {
  /** Keys of preprocessor_config.json that nobody knows and that may be ignored, by name. */
  acceptKeys?: readonly string[];
}

/** Rounding of a float32 that was computed as a value in [0, 1]. */
const SLACK = 1e-5;

/**
 * How a model wants its images: resize, crop, rescale, normalise. Decoding and resizing belong to the data pipeline, which
 * takes {@link transform}; this class makes the encoder's input of tensors of the right size.
 */
export class ImageProcessor {
  /** Every step that is done to an image. */
  readonly transform: ImageTransform;

  /**
   * @param kind what the class's defaults are
   * @param config settings as in preprocessor_config.json
   * @param options `acceptKeys`: unknown keys that may be ignored; `file`: for errors
   * @throws naming every setting that is not what it should be, and every unknown key
   */
  protected constructor(
    private readonly kind: ImageProcessorClass,
    config: ImageProcessorConfig,
    options: ImageProcessorOptions & { file?: string } = {},
  ) {
    const given = parseConfig(
      { name: kind.name, schema, harmless, neutral, nullIsAbsent: true },
      config,
      options,
    );
    this.checkType(given as Record<string, unknown>);
    const square = given.default_to_square ?? false;
    const triple = (value: number | [number, number, number]): [number, number, number] =>
      typeof value === "number" ? [value, value, value] : value;
    const crop = given.crop_size === undefined ? kind.crop : toSize(given.crop_size, true);
    const cuts = given.do_center_crop ?? kind.crop !== undefined;
    if (cuts && (crop === undefined || "shortestEdge" in crop)) {
      throw new Error(
        `${kind.name}: crop_size must have height and width, got ${JSON.stringify(given.crop_size)}`,
      );
    }
    this.transform = {
      resize: given.do_resize === false ? undefined : toSize(given.size ?? kind.size, square),
      crop: cuts ? (crop as { height: number; width: number }) : undefined,
      resample: resamples[given.resample ?? 3]!,
      rescaleFactor: given.do_rescale === false ? 1 : (given.rescale_factor ?? 1 / 255),
      normalize:
        given.do_normalize === false
          ? undefined
          : { mean: triple(given.image_mean ?? kind.mean), std: triple(given.image_std ?? kind.std) },
    };
  }

  /** Width and height of the images that come out; undefined where they depend on what goes in. */
  get imageSize(): { height: number; width: number } | undefined {
    const { crop, resize } = this.transform;
    if (crop) return crop;
    return resize && "height" in resize ? resize : undefined;
  }

  /** The settings in full, as transformers writes them to preprocessor_config.json. */
  get config(): Record<string, unknown> {
    const { resize, crop, resample, rescaleFactor, normalize } = this.transform;
    const size = resize && ("shortestEdge" in resize ? { shortest_edge: resize.shortestEdge } : resize);
    return {
      ...(crop && { crop_size: crop }),
      do_center_crop: crop !== undefined,
      do_convert_rgb: true,
      do_normalize: normalize !== undefined,
      do_rescale: rescaleFactor !== 1,
      do_resize: resize !== undefined,
      ...(normalize && { image_mean: normalize.mean, image_std: normalize.std }),
      image_processor_type: this.kind.name,
      resample: resamples.indexOf(resample),
      ...(rescaleFactor !== 1 && { rescale_factor: rescaleFactor }),
      ...(size && { size }),
    };
  }

  /**
   * Rescales and normalises, channel by channel: `(255 rescaleFactor x - mean) / std`.
   *
   * @param images `[batch, height, width, 3]` in [0, 1], which stands for 0..255, already of the model's size
   * @returns the same shape; the caller disposes it
   * @throws on another shape, and on values outside [0, 1] where the backend can read a tensor at once (cpu, wasm)
   */
  normalize(images: tf.Tensor4D): tf.Tensor4D {
    const { name } = this.kind;
    if (images.rank !== 4 || images.shape[3] !== 3) {
      throw new Error(`${name}.normalize: images must be [batch, height, width, 3], got [${images.shape}]`);
    }
    if (images.dtype !== "float32") {
      throw new Error(`${name}.normalize: images must be float32 in [0, 1], got ${images.dtype}`);
    }
    checkRange(name, images);
    const { rescaleFactor, normalize } = this.transform;
    const range = 255 * rescaleFactor;
    return tf.tidy(() => {
      if (!normalize) return range === 1 ? tf.clone(images) : tf.mul(images, range);
      // One multiplication and one addition: x range / std - mean / std.
      const { mean, std } = normalize;
      const scale = tf.tensor1d(std.map((value) => range / value));
      const shift = tf.tensor1d(std.map((value, channel) => -mean[channel]! / value));
      return tf.add(tf.mul(images, scale), shift);
    });
  }

  private checkType(config: Record<string, unknown>): void {
    for (const key of ["image_processor_type", "feature_extractor_type"]) {
      const type = config[key];
      if (type === undefined || this.kind.types.includes(type as string)) continue;
      throw new Error(
        `${this.kind.name}: ${key} must be one of ${this.kind.types.join(", ")}, got ${JSON.stringify(type)}`,
      );
    }
  }
}

function toSize(
  value: z.infer<typeof size>,
  square: boolean,
): { shortestEdge: number } | { height: number; width: number } {
  if (typeof value === "number") return square ? { height: value, width: value } : { shortestEdge: value };
  if (Array.isArray(value)) return { height: value[0], width: value[1] };
  return "shortest_edge" in value
    ? { shortestEdge: value.shortest_edge }
    : { height: value.height, width: value.width };
}

function checkRange(name: string, images: tf.Tensor4D): void {
  const backend = tf.getBackend();
  if (backend !== "cpu" && backend !== "wasm") return;
  const values = images.dataSync();
  const index = values.findIndex((value) => !(value >= -SLACK && value <= 1 + SLACK));
  if (index < 0) return;
  throw new Error(`${name}.normalize: images must be in [0, 1], got ${values[index]} at value ${index}`);
}

/**
 * Reads the settings of a folder's image processor as transformers 5 does: the `image_processor` of processor_config.json, and
 * without that preprocessor_config.json.
 *
 * @returns the settings and the file that they are from, or undefined where there are none
 */
export async function readImageProcessorConfig(
  folder: string,
  what: string,
): Promise<{ config: Record<string, unknown>; file: string } | undefined> {
  for (const name of ["processor_config.json", "preprocessor_config.json"]) {
    const file = `${folder}/${name}`;
    const bytes = await readModelFile(folder, name);
    if (!bytes) continue;
    const json = parseJsonObject(bytes, file, what);
    const config = name === "preprocessor_config.json" ? json : json["image_processor"];
    if (config === undefined || config === null) continue;
    if (typeof config !== "object" || Array.isArray(config)) {
      throw new Error(`${what}: ${file}: image_processor must be an object, got ${describe(config)}`);
    }
    return { config: config as Record<string, unknown>, file };
  }
  return undefined;
}

/** As {@link readImageProcessorConfig}, for a class's `fromPretrained`: a missing file is an error. */
export async function needImageProcessorConfig(
  folder: string,
  what: string,
): Promise<{ config: Record<string, unknown>; file: string }> {
  const found = await readImageProcessorConfig(folder, what);
  if (found) return found;
  throw new Error(
    `${what}: expected a model folder with preprocessor_config.json, but ${folder}/preprocessor_config.json does not exist`,
  );
}
