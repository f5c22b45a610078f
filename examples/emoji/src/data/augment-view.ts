import type { Random } from "@dcr-js/tensor";

/** An RGB image on the host: `size * size * 3` values in [0, 1], row by row, channels last. */
export type HostImage = Float32Array;

export interface AugmentOptions {
  /** Largest relative change of brightness, contrast and saturation. Default 0.1. */
  colorJitter?: number;
  /** Largest shift of hue, as a share of the colour circle, in [0, 0.5]. Default 0.05. */
  hue?: number;
  /** Probability of a horizontal flip. Default 0.5. */
  horizontalFlip?: number;
  /** Probability of a vertical flip. Default 0.5. */
  verticalFlip?: number;
  /** Range of the crop's area as a share of the image's. Default [0.9, 1]. */
  scale?: readonly [number, number];
  /** Range of the crop's width over its height. Default [0.9, 1.1]. */
  ratio?: readonly [number, number];
}

/**
 * The augmented view of DCR (Han et al. 2026, section 4.1): colour jitter, flips and a random resized crop.
 *
 * Works on pixel values in [0, 1], *before* CLIP's normalisation: jitter clamps to [0, 1] and would destroy a
 * normalised image. Runs on the host, so that the view is bit-identical on every backend.
 *
 * @param image `[size, size, 3]` in [0, 1]; not changed.
 * @param size width and height in pixels.
 * @param random the source of randomness; always consumed by the same count, whatever is drawn.
 * @returns a new image of the same size.
 */
export function augmentView(
  image: HostImage,
  size: number,
  random: Random,
  options: AugmentOptions = {},
): HostImage {
  if (image.length !== size * size * 3) {
    throw new Error(
      `augmentView: image must hold size * size * 3 = ${size * size * 3} values, got ${image.length}`,
    );
  }
  const jitter = options.colorJitter ?? 0.1;
  const [low, high] = options.scale ?? [0.9, 1];
  const [narrow, wide] = options.ratio ?? [0.9, 1.1];
  const draw = (from: number, to: number) => from + (to - from) * random.number();

  const brightness = draw(1 - jitter, 1 + jitter);
  const contrast = draw(1 - jitter, 1 + jitter);
  const saturation = draw(1 - jitter, 1 + jitter);
  const hue = draw(-(options.hue ?? 0.05), options.hue ?? 0.05);
  const flipX = random.number() < (options.horizontalFlip ?? 0.5);
  const flipY = random.number() < (options.verticalFlip ?? 0.5);
  const area = draw(low, high) * size * size;
  const aspect = Math.exp(draw(Math.log(narrow), Math.log(wide)));
  const width = Math.min(size, Math.sqrt(area * aspect));
  const height = Math.min(size, Math.sqrt(area / aspect));
  const left = draw(0, size - width);
  const top = draw(0, size - height);

  const view = resizedCrop(image, size, { left, top, width, height, flipX, flipY });
  jitterColors(view, { brightness, contrast, saturation, hue });
  return view;
}

interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
  flipX: boolean;
  flipY: boolean;
}

/** Crops, flips and resizes back to `size` with Keys' bicubic kernel (a = -0.5, as Pillow's). */
function resizedCrop(image: HostImage, size: number, crop: Crop): HostImage {
  const columns = bicubicTaps(size, crop.left, crop.width, crop.flipX);
  const rows = bicubicTaps(size, crop.top, crop.height, crop.flipY);
  const horizontal = new Float32Array(image.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let tap = 0; tap < 4; tap++) {
          sum +=
            columns.weights[4 * x + tap] * image[(y * size + columns.indices[4 * x + tap]) * 3 + channel];
        }
        horizontal[(y * size + x) * 3 + channel] = sum;
      }
    }
  }
  const view = new Float32Array(image.length);
  for (let y = 0; y < size; y++) {
    for (let offset = 0; offset < size * 3; offset++) {
      let sum = 0;
      for (let tap = 0; tap < 4; tap++) {
        sum += rows.weights[4 * y + tap] * horizontal[rows.indices[4 * y + tap] * size * 3 + offset];
      }
      view[y * size * 3 + offset] = Math.min(1, Math.max(0, sum));
    }
  }
  return view;
}

/** The four source positions and weights of every output position; the edge pixel repeats outside. */
function bicubicTaps(size: number, start: number, length: number, flip: boolean) {
  const indices = new Int32Array(4 * size);
  const weights = new Float64Array(4 * size);
  for (let out = 0; out < size; out++) {
    const position = flip ? size - 1 - out : out;
    const center = start + ((position + 0.5) * length) / size - 0.5;
    const base = Math.floor(center);
    for (let tap = 0; tap < 4; tap++) {
      const source = base - 1 + tap;
      indices[4 * out + tap] = Math.min(size - 1, Math.max(0, source));
      weights[4 * out + tap] = cubic(Math.abs(center - source));
    }
  }
  return { indices, weights };
}

function cubic(distance: number): number {
  const a = -0.5;
  if (distance < 1) return (a + 2) * distance ** 3 - (a + 3) * distance ** 2 + 1;
  if (distance < 2) return a * (distance ** 3 - 5 * distance ** 2 + 8 * distance - 4);
  return 0;
}

interface ColorChange {
  brightness: number;
  contrast: number;
  saturation: number;
  hue: number;
}

/** Brightness, contrast, saturation, hue, in this order; each clamps to [0, 1] as torchvision does. */
function jitterColors(image: HostImage, change: ColorChange): void {
  const clamp = (value: number) => Math.min(1, Math.max(0, value));
  const luma = (i: number) => 0.299 * image[i] + 0.587 * image[i + 1] + 0.114 * image[i + 2];
  let mean = 0;
  for (let i = 0; i < image.length; i += 3) {
    for (let c = 0; c < 3; c++) image[i + c] = clamp(image[i + c] * change.brightness);
    mean += luma(i);
  }
  mean /= image.length / 3;
  const [toRed, toGreen, toBlue] = hueRotation(change.hue);
  for (let i = 0; i < image.length; i += 3) {
    for (let c = 0; c < 3; c++) image[i + c] = clamp(mean + (image[i + c] - mean) * change.contrast);
    const grey = luma(i);
    for (let c = 0; c < 3; c++) image[i + c] = clamp(grey + (image[i + c] - grey) * change.saturation);
    const [r, g, b] = [image[i], image[i + 1], image[i + 2]];
    image[i] = clamp(toRed[0] * r + toRed[1] * g + toRed[2] * b);
    image[i + 1] = clamp(toGreen[0] * r + toGreen[1] * g + toGreen[2] * b);
    image[i + 2] = clamp(toBlue[0] * r + toBlue[1] * g + toBlue[2] * b);
  }
}

/** From RGB to NTSC's luma and two chroma axes, YIQ; grey has no chroma, as the last two rows sum to 0. */
const rgbToYiq = [
  [0.299, 0.587, 0.114],
  [0.595716, -0.274453, -0.321263],
  [0.211456, -0.522591, 0.311135],
];
// Computed, as the inverse that tables print has four digits: it would change colours that are rotated by nothing.
const yiqToRgb = inverse(rgbToYiq);

/** Rotation of chroma in YIQ, which keeps luma, as a matrix on RGB; torchvision shifts HSV's hue, equal to first order. */
function hueRotation(hue: number): number[][] {
  const [cos, sin] = [Math.cos(2 * Math.PI * hue), Math.sin(2 * Math.PI * hue)];
  const turn = [
    [1, 0, 0],
    [0, cos, -sin],
    [0, sin, cos],
  ];
  return product(yiqToRgb, product(turn, rgbToYiq));
}

function product(a: number[][], b: number[][]): number[][] {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)));
}

/** Of a 3 x 3 matrix, by cofactors. */
function inverse(m: number[][]): number[][] {
  const cofactor = (i: number, j: number) =>
    m[(i + 1) % 3][(j + 1) % 3] * m[(i + 2) % 3][(j + 2) % 3] -
    m[(i + 1) % 3][(j + 2) % 3] * m[(i + 2) % 3][(j + 1) % 3];
  const determinant = m[0].reduce((sum, x, j) => sum + x * cofactor(0, j), 0);
  return m.map((row, i) => row.map((_, j) => cofactor(j, i) / determinant));
}
