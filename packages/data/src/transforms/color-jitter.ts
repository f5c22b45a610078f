import { permutation, type Uniform, uniform } from "../random/draws.js";
import { checkNumber, checkOptions } from "../shared/check-options.js";
import { checkUnit, type RGBImage } from "./image.js";

/** A float32 image in [0, 1]. */
type FloatImage = RGBImage<Float32Array>;

// torchvision's tensor functions take these for grey; Pillow's convert("L") takes 0.299, 0.587, 0.114.
const grey = (r: number, g: number, b: number): number => 0.2989 * r + 0.587 * g + 0.114 * b;

/** torchvision's `adjust_brightness` on float tensors in [0, 1]: pixels times `factor`, held in [0, 1]. */
export function adjustBrightness(image: FloatImage, factor: number): FloatImage {
  checkUnit("adjustBrightness: image", image);
  checkNumber("adjustBrightness: factor", factor, { min: 0 });
  const data = new Float32Array(image.data.length);
  for (let i = 0; i < data.length; i++) data[i] = clamp(factor * image.data[i]!);
  return { ...image, data };
}

/** torchvision's `adjust_contrast` on float tensors in [0, 1]: distances from the image's mean grey times `factor`, held in [0, 1]. */
export function adjustContrast(image: FloatImage, factor: number): FloatImage {
  checkUnit("adjustContrast: image", image);
  checkNumber("adjustContrast: factor", factor, { min: 0 });
  const from = image.data;
  let sum = 0;
  for (let i = 0; i < from.length; i += 3) sum += grey(from[i]!, from[i + 1]!, from[i + 2]!);
  const rest = (1 - factor) * (sum / (from.length / 3));
  const data = new Float32Array(from.length);
  for (let i = 0; i < data.length; i++) data[i] = clamp(factor * from[i]! + rest);
  return { ...image, data };
}

/** torchvision's `adjust_saturation` on float tensors in [0, 1]: distances from the pixel's own grey times `factor`, held in [0, 1]. */
export function adjustSaturation(image: FloatImage, factor: number): FloatImage {
  checkUnit("adjustSaturation: image", image);
  checkNumber("adjustSaturation: factor", factor, { min: 0 });
  const from = image.data;
  const data = new Float32Array(from.length);
  for (let i = 0; i < data.length; i += 3) {
    const rest = (1 - factor) * grey(from[i]!, from[i + 1]!, from[i + 2]!);
    data[i] = clamp(factor * from[i]! + rest);
    data[i + 1] = clamp(factor * from[i + 1]! + rest);
    data[i + 2] = clamp(factor * from[i + 2]! + rest);
  }
  return { ...image, data };
}

/**
 * torchvision's `adjust_hue` on float tensors in [0, 1]: turns the hue in HSV.
 *
 * @param factor in turns, from -0.5 to 0.5
 */
export function adjustHue(image: FloatImage, factor: number): FloatImage {
  checkUnit("adjustHue: image", image);
  checkNumber("adjustHue: factor", factor, { min: -0.5, max: 0.5 });
  const from = image.data;
  const data = new Float32Array(from.length);
  for (let i = 0; i < data.length; i += 3) {
    const r = from[i]!;
    const g = from[i + 1]!;
    const b = from[i + 2]!;
    const max = Math.max(r, g, b);
    const range = max - Math.min(r, g, b);
    if (range === 0) {
      data.fill(max, i, i + 3);
      continue;
    }
    let sixths = (g - b) / range;
    if (max !== r) sixths = max === g ? 2 + (b - r) / range : 4 + (r - g) / range;
    const turned = (((sixths / 6 + factor) % 1) + 1) % 1;
    const sector = Math.floor(turned * 6);
    const f = turned * 6 - sector;
    const saturation = range / max;
    const p = clamp(max * (1 - saturation));
    const q = clamp(max * (1 - saturation * f));
    const t = clamp(max * (1 - saturation * (1 - f)));
    const s = sector % 6;
    data[i] = pick(s, max, q, p, p, t, max);
    data[i + 1] = pick(s, t, max, max, q, p, p);
    data[i + 2] = pick(s, p, p, t, max, max, q);
  }
  return { ...image, data };
}

/** How far colours move at most. */
export interface ColorJitterOptions {
  /** Factors are uniform in [max(0, 1 - brightness), 1 + brightness]; default 0. */
  brightness?: number;
  /** As brightness; default 0. */
  contrast?: number;
  /** As brightness; default 0. */
  saturation?: number;
  /** Turns are uniform in [-hue, hue], at most 0.5; default 0. */
  hue?: number;
}

/**
 * torchvision's `ColorJitter` with its numbers for float tensors: brightness, contrast, saturation and hue, in random order.
 *
 * @param image in [0, 1]
 * @returns a new image in [0, 1]
 */
export function colorJitter(image: FloatImage, options: ColorJitterOptions, draws: Uniform): FloatImage {
  checkUnit("colorJitter: image", image);
  const { brightness, contrast, saturation, hue } = checkColorJitter("colorJitter", options);
  const order = permutation(draws, 4);
  const factor = (amount: number) => uniform(draws, Math.max(0, 1 - amount), 1 + amount);
  const factors = [factor(brightness), factor(contrast), factor(saturation), uniform(draws, -hue, hue)];
  const amounts = [brightness, contrast, saturation, hue];
  const adjust = [adjustBrightness, adjustContrast, adjustSaturation, adjustHue];
  let result = image;
  for (const i of order) if (amounts[i]! > 0) result = adjust[i]!(result, factors[i]!);
  return result === image ? { ...image, data: image.data.slice() } : result;
}

/** Checks a jitter's options and fills in the defaults. */
export function checkColorJitter(caller: string, options: ColorJitterOptions): Required<ColorJitterOptions> {
  const known = { brightness: true, contrast: true, saturation: true, hue: true } as const;
  const { brightness = 0, contrast = 0, saturation = 0, hue = 0 } = checkOptions(caller, options, known);
  return {
    brightness: checkNumber(`${caller}: brightness`, brightness, { min: 0 }),
    contrast: checkNumber(`${caller}: contrast`, contrast, { min: 0 }),
    saturation: checkNumber(`${caller}: saturation`, saturation, { min: 0 }),
    hue: checkNumber(`${caller}: hue`, hue, { min: 0, max: 0.5 }),
  };
}

/** The one of six numbers that belongs to a sector of the colour circle. */
function pick(s: number, a: number, b: number, c: number, d: number, e: number, f: number): number {
  return s < 3 ? (s === 0 ? a : s === 1 ? b : c) : s === 3 ? d : s === 4 ? e : f;
}

const clamp = (value: number): number => (value < 0 ? 0 : value > 1 ? 1 : value);
