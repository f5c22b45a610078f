import type { backend_util } from "@tensorflow/tfjs-core";

/** What tfjs's ops take for the padding of a window over an image. */
export type Padding = "same" | "valid" | number | backend_util.ExplicitPadding;
export type DataFormat = "NHWC" | "NCHW";

type Sides = [before: number, after: number];

/** Padding of rows and columns in the order of the axes. */
export function paddingOf(
  rows: Sides,
  columns: Sides,
  dataFormat?: DataFormat,
): backend_util.ExplicitPadding {
  return dataFormat === "NCHW" ? [[0, 0], [0, 0], rows, columns] : [[0, 0], rows, columns, [0, 0]];
}

/**
 * The padding of a window over an image, with its sides spelled out where it is a number: tfjs-core reckons the number of columns by
 * the height of the window and the vertical stride where it is one.
 */
export function explicitPadding(pad: Padding, dataFormat?: DataFormat): Padding {
  return typeof pad === "number" ? paddingOf([pad, pad], [pad, pad], dataFormat) : pad;
}
