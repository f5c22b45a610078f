import { describe } from "../shared/check-options.js";

/** The longest side of an image that is read or made: a side has its filter weights in memory, however short the other side is. */
export const maxSide = 2 ** 20;

/** Long and narrow images grow out of any memory where their shortest edge is resized. */
const maxPixels = 2 ** 28;

/** Checks the size of an image that is to be made. */
export function checkPixels(caller: string, width: number, height: number): void {
  if (width * height <= maxPixels) return;
  throw new RangeError(`${caller}: width * height must be at most ${maxPixels}, got ${width} * ${height}`);
}

/** Pixels as Pillow's uint8 (0 to 255) or as torchvision's float32 (0 to 1). */
export type PixelData = Uint8Array | Float32Array;

/** An RGB image in host memory: `data` is `[height, width, 3]`, row by row, channels last. */
export interface RGBImage<D extends PixelData = PixelData> {
  data: D;
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
}

/**
 * Checks the form of an image: type, shape and, for float32, values that are finite and in [0, 1].
 *
 * @param name how the error names it
 * @returns the image
 */
export function checkImage(name: string, image: unknown): RGBImage {
  const checked = checkForm(name, image);
  if (checked.data instanceof Float32Array) checkUnitRange(name, checked.data);
  return checked;
}

/** Checks that an image has float32 pixels in [0, 1]. */
export function checkUnit(name: string, image: unknown): RGBImage<Float32Array> {
  const checked = checkFloat(name, image);
  checkUnitRange(name, checked.data);
  return checked;
}

function checkUnitRange(name: string, data: Float32Array): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value >= 0 && value <= 1) continue;
    throw new RangeError(`${name} must have float32 pixels in [0, 1], got ${value} at ${i}`);
  }
}

/**
 * Checks an image's type and shape, and not its values.
 *
 * @param name how the error names it
 * @returns the image
 */
export function checkForm<D extends PixelData = PixelData>(name: string, image: unknown): RGBImage<D> {
  const { data, width, height } = (image ?? {}) as Partial<RGBImage>;
  if (!(data instanceof Uint8Array || data instanceof Float32Array)) {
    const came = describe(data === undefined ? image : data);
    throw new TypeError(`${name} must be { data: Uint8Array or Float32Array, width, height }, got ${came}`);
  }
  if (!isSize(width) || !isSize(height) || data.length !== width * height * 3) {
    throw new RangeError(
      `${name} must have data of height * width * 3 numbers, got height ${describe(height)}, width ${describe(width)} and ${data.length} numbers`,
    );
  }
  return { data: data as D, width, height };
}

/** Checks an image's type and shape, and that its pixels are float32. */
export function checkFloat(name: string, image: unknown): RGBImage<Float32Array> {
  const checked = checkForm(name, image);
  if (checked.data instanceof Float32Array) return checked as RGBImage<Float32Array>;
  throw new TypeError(`${name} must have float32 pixels, got a Uint8Array; rescale makes them`);
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/** Room for an image of the same kind of pixels. */
export function emptyLike<D extends PixelData>(data: D, length: number): D {
  return (data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length)) as D;
}
