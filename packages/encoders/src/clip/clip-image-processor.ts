import { readModelJson } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { z } from "zod";

const rgb = z.tuple([z.number(), z.number(), z.number()]);
const edge = z.int().positive();
const size = z.union([
  edge,
  z.looseObject({ shortest_edge: edge }),
  z.looseObject({ height: edge, width: edge }),
]);

const schema = z.looseObject({
  size: size.default({ shortest_edge: 224 }),
  crop_size: z.union([edge, z.looseObject({ height: edge, width: edge })]).optional(),
  do_resize: z.boolean().default(true),
  do_center_crop: z.boolean().default(true),
  do_normalize: z.boolean().default(true),
  image_mean: rgb.default([0.48145466, 0.4578275, 0.40821073]),
  image_std: rgb
    .refine((values) => values.every((value) => value > 0), { error: "must be positive" })
    .default([0.26862954, 0.26130258, 0.27577711]),
  // PIL's numbers.
  resample: z.int().min(0).max(5).default(3),
});

/** The settings in preprocessor_config.json; other keys are kept. */
export type CLIPImageProcessorConfig = z.infer<typeof schema>;

const filters = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;

/**
 * How a CLIP model wants its images (transformers' `CLIPImageProcessor`): resize, crop, normalise. Decoding and
 * resizing files belongs to the data pipeline, which reads the geometry here; this class normalises tensors.
 */
export class CLIPImageProcessor {
  readonly config: CLIPImageProcessorConfig;
  /** Where an image is resized to: its shortest edge, or both edges; undefined where it is not resized. */
  readonly resize?: { shortestEdge: number } | { height: number; width: number };
  /** The centre that is cut out after resizing; undefined where nothing is cut. */
  readonly crop?: { height: number; width: number };
  /** Interpolation for resizing, by PIL's name. CLIP's is bicubic. */
  readonly resample: (typeof filters)[number];

  /**
   * @param config settings as in preprocessor_config.json; what is left out has transformers' defaults
   * @throws naming every setting that is not what it should be
   */
  constructor(config: Partial<CLIPImageProcessorConfig> = {}) {
    const result = schema.safeParse(config);
    if (!result.success) {
      const problems = result.error.issues.map(({ path, message }) => {
        const given = (config as Record<string, unknown>)[String(path[0])];
        return `${path.join(".")}: ${message}, got ${JSON.stringify(given)}`;
      });
      throw new Error(`CLIPImageProcessor: ${problems.join("; ")}`);
    }
    this.config = result.data;
    const { size, crop_size: crop, do_resize, do_center_crop } = this.config;
    if (do_resize) {
      if (typeof size === "number") this.resize = { shortestEdge: size };
      else if ("shortest_edge" in size) this.resize = { shortestEdge: size.shortest_edge as number };
      else this.resize = { height: size.height, width: size.width };
    }
    if (do_center_crop && crop !== undefined) {
      this.crop =
        typeof crop === "number" ? { height: crop, width: crop } : { height: crop.height, width: crop.width };
    }
    this.resample = filters[this.config.resample]!;
  }

  /**
   * Reads preprocessor_config.json of a model folder.
   *
   * @throws if it is missing or not what it should be
   */
  static async fromPretrained(folder: string): Promise<CLIPImageProcessor> {
    const name = "preprocessor_config.json";
    return new CLIPImageProcessor(await readModelJson(folder, name, "CLIPImageProcessor.fromPretrained"));
  }

  /**
   * `(images - mean) / std`, channel by channel.
   *
   * @param images `[batch, height, width, 3]` in [0, 1], already of the model's size
   * @returns the same shape; the caller disposes it
   */
  normalize(images: tf.Tensor4D): tf.Tensor4D {
    if (images.rank !== 4 || images.shape[3] !== 3) {
      throw new Error(
        `CLIPImageProcessor.normalize: images must be [batch, height, width, 3], got [${images.shape}]`,
      );
    }
    if (!this.config.do_normalize) return tf.clone(images);
    const { image_mean: mean, image_std: std } = this.config;
    return tf.tidy(() => {
      // One multiplication and one addition: x / std - mean / std.
      const scale = tf.tensor1d(std.map((value) => 1 / value));
      const shift = tf.tensor1d(std.map((value, channel) => -mean[channel]! / value));
      return tf.add(tf.mul(images, scale), shift);
    });
  }
}
