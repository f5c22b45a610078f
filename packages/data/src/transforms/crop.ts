import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkForm, checkPixels, emptyLike, maxSide, type PixelData, type RGBImage } from "./image.js";

/** A rectangle of whole pixels. */
export interface CropBox {
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * Cuts a rectangle out of an image.
 *
 * @throws if the rectangle is empty or leaves the image
 */
export function crop<D extends PixelData>(image: RGBImage<D>, box: CropBox): RGBImage<D> {
  checkForm("crop: image", image);
  const { left, top, width, height } = checkOptions("crop: box", box, {
    left: true,
    top: true,
    width: true,
    height: true,
  });
  const whole = [left, top, width, height].every(Number.isSafeInteger);
  const inside = left >= 0 && top >= 0 && left + width <= image.width && top + height <= image.height;
  if (!whole || !inside || width < 1 || height < 1) {
    throw new RangeError(
      `crop: box must lie inside ${image.width} x ${image.height} pixels, got left ${left}, top ${top}, width ${width}, height ${height}`,
    );
  }
  const data = emptyLike(image.data, width * height * 3);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(from, from + width * 3), y * width * 3);
  }
  return { data, width, height };
}

/**
 * Cuts out the centre, and pads with black where the image is smaller, as transformers does (`center_crop` of
 * `image_transforms.py`, which its image processors with the PIL backend use).
 *
 * @param size of the result, in pixels, each side at most 2^20, and at most 2^28 pixels
 */
export function centerCrop<D extends PixelData>(
  image: RGBImage<D>,
  size: { width: number; height: number },
): RGBImage<D> {
  checkForm("centerCrop: image", image);
  const wanted = checkOptions("centerCrop: size", size, { width: true, height: true });
  const width = checkNumber("centerCrop: width", wanted.width, { min: 1, max: maxSide, integer: true });
  const height = checkNumber("centerCrop: height", wanted.height, { min: 1, max: maxSide, integer: true });
  checkPixels("centerCrop", width, height);
  const columns = centered(image.width, width);
  const rows = centered(image.height, height);
  const part = crop(image, {
    left: columns.from,
    top: rows.from,
    width: columns.length,
    height: rows.length,
  });
  if (part.width === width && part.height === height) return part;
  const data = emptyLike(image.data, width * height * 3);
  for (let y = 0; y < part.height; y++) {
    const row = part.data.subarray(y * part.width * 3, (y + 1) * part.width * 3);
    data.set(row, ((rows.pad + y) * width + columns.pad) * 3);
  }
  return { data, width, height };
}

/** Along one axis: the pixels that stay, and the padding before them. transformers rounds the two unlike each other. */
function centered(length: number, wanted: number): { from: number; length: number; pad: number } {
  if (wanted <= length) return { from: Math.floor((length - wanted) / 2), length: wanted, pad: 0 };
  return { from: 0, length, pad: Math.ceil((wanted - length) / 2) };
}

/** Mirrors an image left to right. */
export function horizontalFlip<D extends PixelData>(image: RGBImage<D>): RGBImage<D> {
  const { width, height } = checkForm("horizontalFlip: image", image);
  const data = emptyLike(image.data, image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + width - 1 - x) * 3;
      const to = (y * width + x) * 3;
      for (let channel = 0; channel < 3; channel++) data[to + channel] = image.data[from + channel]!;
    }
  }
  return { data, width, height };
}

/** Mirrors an image top to bottom. */
export function verticalFlip<D extends PixelData>(image: RGBImage<D>): RGBImage<D> {
  const { width, height } = checkForm("verticalFlip: image", image);
  const data = emptyLike(image.data, image.data.length);
  const row = width * 3;
  for (let y = 0; y < height; y++) {
    data.set(image.data.subarray((height - 1 - y) * row, (height - y) * row), y * row);
  }
  return { data, width, height };
}

/**
 * The size of an image whose shortest edge becomes `edge`, with its aspect ratio kept: the longer edge is rounded down, as in
 * transformers (`get_resize_output_image_size`) and torchvision (`Resize`).
 */
export function shortestEdgeSize(
  image: { width: number; height: number },
  edge: number,
): { width: number; height: number } {
  checkNumber("shortestEdgeSize: edge", edge, { min: 1, integer: true });
  const { width, height } = image;
  checkNumber("shortestEdgeSize: image.width", width, { min: 1, integer: true });
  checkNumber("shortestEdgeSize: image.height", height, { min: 1, integer: true });
  return width <= height
    ? { width: edge, height: Math.trunc((edge * height) / width) }
    : { width: Math.trunc((edge * width) / height), height: edge };
}
