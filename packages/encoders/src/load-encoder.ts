import {
  checkPretrainedOptions,
  type Module,
  type PretrainedOptions,
  readModelFile,
  resolvePretrained,
  type SavePretrainedOptions,
} from "@dcr-js/tensor";
import { CLIPImageProcessor } from "./clip/clip-image-processor.js";
import { CLIPTokenizer } from "./clip/clip-tokenizer.js";
import type { ImageEncoder, ImageTextEncoder, TextEncoder } from "./encoder.js";
import {
  architectureOf,
  type EncoderFamily,
  imageClasses,
  type Loader,
  textClasses,
} from "./encoder-classes.js";
import {
  type ImageProcessor,
  type ImageProcessorConfig,
  needImageProcessorConfig,
} from "./image-processor/image-processor.js";
import { SiglipImageProcessor } from "./siglip/siglip-image-processor.js";
import { SiglipTokenizer } from "./siglip/siglip-tokenizer.js";
import type { TextTokenizer } from "./tokenizer/text-tokenizer.js";

const processors = { clip: CLIPImageProcessor, siglip: SiglipImageProcessor };
const tokenizers = { clip: CLIPTokenizer, siglip: SiglipTokenizer };

/** How {@link loadImageEncoder} loads. */
export interface LoadImageEncoderOptions extends PretrainedOptions {
  /**
   * Whether the text tower of a whole model is loaded, with its tokenizer. Where it is false, only the image tower is in memory;
   * {@link LoadedImageEncoder.savePretrained} writes the whole model nevertheless. Default true.
   */
  text?: boolean;
}

/** A model folder's parts for images, and for texts where it has a text tower. */
export interface LoadedImageEncoder {
  family: EncoderFamily;
  /** transformers' name of the class that the folder holds. */
  architecture: string;
  encoder: ImageEncoder;
  /** How the encoder wants its images. */
  processor: ImageProcessor;
  /** The text tower of a whole model: the same object as {@link encoder}. */
  textEncoder?: TextEncoder;
  /** The text tower's tokenizer, if the folder has its files. */
  tokenizer?: TextTokenizer;
  /**
   * Writes the model of the folder with the encoder's weights as they are now: a whole model also where only its image tower
   * was loaded, whose other weights are read from the folder again.
   *
   * @param folder made if it is missing
   * @throws while adapters are in place; nothing is written then
   */
  savePretrained(folder: string, options?: SavePretrainedOptions): Promise<void>;
  /** Frees the weights of both towers. */
  dispose(): void;
}

/**
 * Loads the visual encoder of a Hugging Face folder, whatever its class, with its image processor, and for a whole model its
 * text tower and tokenizer. The class is read from config.json.
 *
 * @param source a folder, or a model's id on the hub such as `openai/clip-vit-large-patch14`
 * @param options see {@link LoadImageEncoderOptions}
 * @returns the encoder and what belongs to it; the caller disposes it
 * @throws on a class that is not known, with those that are; if a file or a weight is missing, or has another shape than the
 *   settings say; if image processor or tokenizer do not fit the encoder
 *
 * @example
 * const { encoder, processor } = await loadImageEncoder("openai/clip-vit-large-patch14", { text: false });
 * const z = encoder.encodeImage(processor.normalize(images)); // [batch, 768]
 */
export async function loadImageEncoder(
  source: string,
  options: LoadImageEncoderOptions = {},
): Promise<LoadedImageEncoder> {
  const what = "loadImageEncoder";
  const { text = true, ...pretrained } = checkPretrainedOptions<LoadImageEncoderOptions>(what, options, {
    text: "boolean",
  });
  const { folder, how } = await resolve(what, source, pretrained);
  const architecture = await architectureOf(folder, what, { known: imageClasses, variant: how.variant });
  const { family, load, tower } = imageClasses[architecture]!;
  const processor = await loadImageProcessor(folder, what, family, how.acceptKeys);
  const whole = tower !== undefined;
  const encoder = await (whole && !text ? tower : load).fromPretrained(folder, how);
  try {
    checkImages(what, folder, processor, encoder.imageSize);
    const textEncoder = whole && text ? (encoder as ImageTextEncoder) : undefined;
    const tokenizer = textEncoder && (await loadTokenizer(folder, what, family, textEncoder, how.acceptKeys));
    return {
      family,
      architecture,
      encoder,
      processor,
      ...(textEncoder && { textEncoder }),
      ...(tokenizer && { tokenizer }),
      savePretrained: (to, saving) =>
        whole && !text
          ? saveWhole(load, folder, how, encoder, to, saving)
          : encoder.savePretrained(to, saving),
      dispose: () => encoder.dispose(),
    };
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}

/** The parts of a folder that {@link createImageEncoder} makes without reading weights. */
export interface ImageEncoderShape {
  family: EncoderFamily;
  /** transformers' name of the class that the folder holds. */
  architecture: string;
  /** The image tower, without weights: of a whole model only the tower. */
  encoder: ImageEncoder;
  /** How the encoder wants its images. */
  processor: ImageProcessor;
  /** Whether the folder holds a text tower too. */
  hasText: boolean;
  /** The text tower's tokenizer, if there is one and the folder has its files. */
  tokenizer?: TextTokenizer;
}

/**
 * Reads of a folder all that {@link loadImageEncoder} reads but the weights: to know how large a model is, and that its settings,
 * image processor and tokenizer are in order, before gigabytes are loaded.
 *
 * @param source a folder, or a model's id on the hub
 * @throws as {@link loadImageEncoder} does
 */
export async function createImageEncoder(
  source: string,
  options: PretrainedOptions = {},
): Promise<ImageEncoderShape> {
  const what = "createImageEncoder";
  const { folder, how } = await resolve(what, source, options);
  const architecture = await architectureOf(folder, what, { known: imageClasses, variant: how.variant });
  const { family, load, tower } = imageClasses[architecture]!;
  const processor = await loadImageProcessor(folder, what, family, how.acceptKeys);
  const encoder = await (tower ?? load).fromConfig(folder, how);
  checkImages(what, folder, processor, encoder.imageSize);
  const tokenizer =
    tower && (await loadTokenizer(folder, what, family, await load.fromConfig(folder, how), how.acceptKeys));
  return {
    family,
    architecture,
    encoder,
    processor,
    hasText: tower !== undefined,
    ...(tokenizer && { tokenizer }),
  };
}

/** A text tower with its tokenizer, from {@link loadTextEncoder}. */
export interface LoadedTextEncoder {
  family: EncoderFamily;
  /** transformers' name of the class that the folder holds. */
  architecture: string;
  encoder: TextEncoder;
  /** If the folder has its files. */
  tokenizer?: TextTokenizer;
  /** Frees the weights. */
  dispose(): void;
}

/**
 * Loads the text tower of a Hugging Face folder, of a whole model or alone, with its tokenizer: for zero-shot classification by
 * features that an image tower gave before.
 *
 * @param source a folder, or a model's id on the hub
 * @throws as {@link loadImageEncoder} does
 */
export async function loadTextEncoder(
  source: string,
  options: PretrainedOptions = {},
): Promise<LoadedTextEncoder> {
  const what = "loadTextEncoder";
  const { folder, how } = await resolve(what, source, options);
  const architecture = await architectureOf(folder, what, { known: textClasses, variant: how.variant });
  const { family, load } = textClasses[architecture]!;
  const encoder = await load.fromPretrained(folder, how);
  try {
    const tokenizer = await loadTokenizer(folder, what, family, encoder, how.acceptKeys);
    const dispose = () => encoder.dispose();
    return { family, architecture, encoder, ...(tokenizer && { tokenizer }), dispose };
  } catch (error) {
    encoder.dispose();
    throw error;
  }
}

/** Everything is read from one folder, which is found or fetched once. */
async function resolve(
  what: string,
  source: string,
  options: PretrainedOptions,
): Promise<{ folder: string; how: PretrainedOptions }> {
  const { storage, variant, acceptKeys } = checkPretrainedOptions(what, options);
  const folder = await resolvePretrained(what, source, options);
  return { folder, how: { storage, variant, acceptKeys } };
}

async function loadImageProcessor(
  folder: string,
  what: string,
  family: EncoderFamily,
  acceptKeys: readonly string[] | undefined,
): Promise<ImageProcessor> {
  const { config, file } = await needImageProcessorConfig(folder, what);
  const type = config["image_processor_type"] ?? config["feature_extractor_type"];
  const named = (Object.keys(processors) as EncoderFamily[]).find(
    (one) => typeof type === "string" && type.toLowerCase().startsWith(one),
  );
  // A type that neither has is refused by the family's own class, with the types that it knows.
  return new processors[named ?? family](config as ImageProcessorConfig, { acceptKeys, file });
}

function checkImages(what: string, folder: string, processor: ImageProcessor, size: number): void {
  const { imageSize } = processor;
  if (imageSize && (imageSize.height !== size || imageSize.width !== size)) {
    throw new Error(
      `${what}: ${folder}: the image processor makes images of ${imageSize.width} x ${imageSize.height}, but the encoder takes ` +
        `${size} x ${size}`,
    );
  }
}

async function loadTokenizer(
  folder: string,
  what: string,
  family: EncoderFamily,
  { vocabSize, contextLength }: Pick<TextEncoder, "vocabSize" | "contextLength">,
  acceptKeys: readonly string[] | undefined,
): Promise<TextTokenizer | undefined> {
  const files = ["tokenizer.json", "vocab.json", "spiece.model"];
  const found = await Promise.all(files.map((name) => readModelFile(folder, name)));
  if (found.every((bytes) => bytes === undefined)) return undefined;
  const load = (modelMaxLength?: number): Promise<TextTokenizer> =>
    tokenizers[family].fromPretrained(folder, { acceptKeys, modelMaxLength });
  const tokenizer = await load();
  if (tokenizer.vocabSize > vocabSize) {
    throw new Error(
      `${what}: ${folder}: the tokenizer gives ids up to ${tokenizer.vocabSize - 1}, but the text tower has ${vocabSize} tokens`,
    );
  }
  return tokenizer.modelMaxLength > contextLength ? load(contextLength) : tokenizer;
}

/** Saves the whole model of a folder with the weights of an image tower that was loaded alone. */
async function saveWhole(
  load: Loader<ImageEncoder>,
  from: string,
  { variant, acceptKeys }: PretrainedOptions,
  encoder: ImageEncoder,
  to: string,
  options: SavePretrainedOptions | undefined,
): Promise<void> {
  const whole = await load.fromPretrained(from, { variant, acceptKeys });
  try {
    const parameters = new Map(whole.namedParameters());
    for (const [name, { value }] of (encoder as Module).namedParameters()) {
      const parameter = parameters.get(name);
      if (!parameter) {
        throw new Error(
          `loadImageEncoder: merge or remove the adapters before savePretrained; found ${name}`,
        );
      }
      parameter.trainable = false;
      parameter.assign(value);
    }
    await whole.savePretrained(to, options);
  } finally {
    whole.dispose();
  }
}
