import { checkNumber, checkOptions, describe } from "../shared/check-options.js";
import { checkFloat, checkForm, type RGBImage } from "./image.js";

/**
 * Multiplies pixels by a factor: transformers' `rescale`, and torchvision's `ToTensor` for uint8 and 1/255.
 *
 * @param factor default 1/255 for uint8 pixels and 1 for float32 pixels
 * @returns a new float32 image
 */
export function rescale(
  image: RGBImage,
  factor = image?.data instanceof Uint8Array ? 1 / 255 : 1,
): RGBImage<Float32Array> {
  checkForm("rescale: image", image);
  checkNumber("rescale: factor", factor, { above: 0 });
  const data = new Float32Array(image.data);
  for (let i = 0; i < data.length; i++) data[i]! *= factor;
  return { ...image, data };
}

/** A number for each of red, green and blue. */
export type RGB = readonly [number, number, number];

/**
 * `(image - mean) / std`, channel by channel.
 *
 * @param image float32 pixels
 * @throws on a mean or a deviation that is not three finite numbers, and on a deviation that is not positive
 */
export function normalize(
  image: RGBImage<Float32Array>,
  options: { mean: RGB; std: RGB },
): RGBImage<Float32Array> {
  checkFloat("normalize: image", image);
  const { mean, std } = checkOptions("normalize", options, { mean: true, std: true });
  checkRGB("normalize: mean", mean, {});
  checkRGB("normalize: std", std, { above: 0 });
  const data = image.data.map((value, i) => (value - mean[i % 3]!) / std[i % 3]!);
  return { ...image, data };
}

/** Checks three numbers. */
export function checkRGB(name: string, value: unknown, range: Parameters<typeof checkNumber>[2]): RGB {
  if (!Array.isArray(value) || value.length !== 3) {
    throw new RangeError(`${name} must be three numbers, got ${describe(value)}`);
  }
  for (const [i, each] of value.entries()) checkNumber(`${name}[${i}]`, each, range);
  return value as unknown as RGB;
}
