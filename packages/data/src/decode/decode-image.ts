import type { Sharp } from "sharp";
import { MachineFault } from "../pipeline/machine-fault.js";
import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { maxSide, type RGBImage } from "../transforms/image.js";
import { checkRGB, type RGB } from "../transforms/rescale.js";
import { describeBytes, imageFormat } from "./image-format.js";
import { isPlainYCbCr } from "./tiff-colours.js";

export interface DecodeOptions {
  /**
   * The colour behind transparent pixels, red, green and blue from 0 to 255. Left out, the alpha channel is dropped as Pillow's
   * `convert("RGB")` does, and the colours that hide behind it show.
   */
  background?: RGB;
  /** The most pixels that an image may have, a guard against decompression bombs. Default 178956970, where Pillow refuses too. */
  maxPixels?: number;
}

/** Options after `checkDecodeOptions`. */
export type CheckedDecode = DecodeOptions & { maxPixels: number };

/** Checks decoding's options and fills in the defaults. */
export function checkDecodeOptions(caller: string, options?: DecodeOptions): CheckedDecode {
  const { background, maxPixels = 178_956_970 } = checkOptions(caller, options, {
    background: true,
    maxPixels: true,
  });
  if (background !== undefined) checkRGB(`${caller}: background`, background, { min: 0, max: 255 });
  return { background, maxPixels: checkNumber(`${caller}: maxPixels`, maxPixels, { min: 1, integer: true }) };
}

/**
 * Decodes a JPEG, PNG, WebP, AVIF, GIF or TIFF to RGB: the first frame of an animation, the first page of several.
 *
 * The image is turned upright by its EXIF orientation. Grey and palette images become RGB; CMYK is converted by Pillow's
 * formula, not by a colour profile; of 16 bits the upper 8 stay; embedded profiles are not applied, as in Pillow.
 *
 * @param bytes the file's content
 * @returns uint8 pixels, `[height, width, 3]`
 * @throws where the bytes are no such image, are cut short or damaged, hold more than `maxPixels` pixels, or have a side above 2^20
 *
 * @example
 * const image = await decodeImage(await readFile("photo.jpg"));
 */
export async function decodeImage(bytes: Uint8Array, options?: DecodeOptions): Promise<RGBImage<Uint8Array>> {
  const checked = checkDecodeOptions("decodeImage", options);
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`decodeImage: bytes must be a Uint8Array, got ${describe(bytes)}`);
  }
  try {
    return await decodeBytes(bytes, checked);
  } catch (error) {
    throw new Error(`decodeImage: the image ${(error as Error).message}`);
  }
}

/** Decodes as `decodeImage` does. Its errors name the fault, and the caller adds the image's name. */
export async function decodeBytes(
  bytes: Uint8Array,
  { background, maxPixels }: CheckedDecode,
): Promise<RGBImage<Uint8Array>> {
  const format = imageFormat(bytes);
  if (!format) throw new Error(describeBytes(bytes));
  if (format === "tiff" && isPlainYCbCr(bytes)) {
    throw new Error("is a TIFF of YCbCr without JPEG compression, which is not read");
  }
  const sharp = await loadSharp();
  // "error" lets warnings pass that Pillow reads over, such as stray bytes before a marker.
  const open = () =>
    sharp(bytes, { failOn: "error", limitInputPixels: false, ignoreIcc: true, autoOrient: true });
  const { width, height, space } = await open().metadata().catch(unreadable);
  if (width * height > maxPixels) {
    throw new Error(`has ${width} x ${height} = ${width * height} pixels, more than maxPixels ${maxPixels}`);
  }
  const side = Math.max(width, height);
  if (side > maxSide) throw new Error(`has a side of ${side} pixels, more than ${maxSide}`);
  return await toRGB(open(), space === "cmyk", background).catch(unreadable);
}

function unreadable(error: Error): never {
  throw new Error(`cannot be decoded: ${error.message.trim().replace(/\s+/g, " ").slice(0, 160)}`);
}

async function toRGB(image: Sharp, cmyk: boolean, background?: RGB): Promise<RGBImage<Uint8Array>> {
  const space = cmyk ? "cmyk" : "srgb";
  const decoded = image.pipelineColourspace(space).toColourspace(space).raw({ depth: "uchar" });
  const { data, info } = await decoded.toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const rgb = new Uint8Array(width * height * 3);
  const convert = cmyk ? fromCMYK : channels < 3 ? fromGrey : fromRGB;
  convert(data, rgb, channels as number);
  const alpha = (channels as number) - (cmyk ? 4 : channels < 3 ? 1 : 3);
  if (background && alpha > 0) composite(rgb, data, channels, background);
  return { data: rgb, width, height };
}

function fromRGB(data: Uint8Array, rgb: Uint8Array, channels: number): void {
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + 1]!;
    rgb[to + 2] = data[from + 2]!;
  }
}

function fromGrey(data: Uint8Array, rgb: Uint8Array, channels: number): void {
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    rgb.fill(data[from]!, to, to + 3);
  }
}

/** Pillow's `cmyk2rgb`: (255 - k) (255 - c) / 255, rounded. */
function fromCMYK(data: Uint8Array, rgb: Uint8Array, channels: number): void {
  for (let from = 0, to = 0; to < rgb.length; from += channels, to += 3) {
    const light = 255 - data[from + 3]!;
    for (let i = 0; i < 3; i++) rgb[to + i] = light - Math.round((data[from + i]! * light) / 255);
  }
}

/** Lays the colours, by the last channel as their opacity, over a background. */
function composite(rgb: Uint8Array, data: Uint8Array, channels: number, background: RGB): void {
  for (let from = channels - 1, to = 0; to < rgb.length; from += channels, to += 3) {
    const alpha = data[from]!;
    for (let i = 0; i < 3; i++) {
      rgb[to + i] = Math.round((rgb[to + i]! * alpha + background[i]! * (255 - alpha)) / 255);
    }
  }
}

let loading: Promise<typeof import("sharp")["default"]> | undefined;

/** Loads sharp when the first image is decoded: browsers, and programs that only transform, do without it. */
function loadSharp(): Promise<typeof import("sharp")["default"]> {
  loading ??= import("sharp").then(
    ({ default: sharp }) => {
      // Every image is read once, and images are decoded side by side.
      sharp.cache(false);
      sharp.concurrency(1);
      return sharp;
    },
    (error: Error) => {
      const [reason] = error.message.trim().split("\n");
      throw new MachineFault(`cannot be decoded: sharp does not load (${reason})`, { cause: error });
    },
  );
  return loading;
}
