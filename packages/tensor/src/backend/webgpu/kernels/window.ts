import type * as tf from "@tensorflow/tfjs-core";
import { type Uniform, u32 } from "../launch.js";

/** A spatial axis along which a window slides, with the padding before it. */
export interface Axis {
  name: "Z" | "Y" | "X";
  input: number;
  output: number;
  size: number;
  stride: number;
  dilation: number;
  before: number;
}

/**
 * A window that slides over `[batch, ...space, channels]`, in two or three dimensions. Convolutions, pooling, morphology and
 * their gradients differ in what they compute there; this file computes the positions.
 *
 * In WGSL an axis A has the uniforms `inA`, `outA`, `sizeA`, `strideA`, `dilationA` and `beforeA`. A position in the input is
 * `image` and `atA`, one in the output is `image` and `toA`, and one in the window is `tapA`; all are u32, and coordinates
 * before the first wrap to huge ones, so that one comparison bounds both sides.
 */
export interface Window {
  batch: number;
  channels: number;
  outChannels: number;
  axes: readonly Axis[];
  inShape: number[];
  outShape: number[];
  filterShape: number[];
}

type Info2D = ReturnType<typeof tf.backend_util.computeConv2DInfo>;
type Info3D = ReturnType<typeof tf.backend_util.computeConv3DInfo>;

const sides = [
  ["Z", "Depth", "front"],
  ["Y", "Height", "top"],
  ["X", "Width", "left"],
] as const;

/** A window from the geometry that tfjs computes, channels last. */
export function windowOf(info: Info2D | Info3D): Window {
  const fields = info as Info3D;
  const { batchSize, inChannels, outChannels, inShape, outShape, filterShape } = info;
  return {
    batch: batchSize,
    channels: inChannels,
    outChannels,
    axes: sides.slice(3 - (inShape.length - 2)).map(([name, side, before]) => ({
      name,
      input: fields[`in${side}`],
      output: fields[`out${side}`],
      size: fields[`filter${side}`],
      stride: fields[`stride${side}`],
      dilation: fields[`dilation${side}`],
      // tfjs-core's is below 0 for a volume whose last voxels no window reaches.
      before: Math.max(0, fields.padInfo[before]),
    })),
    inShape,
    outShape,
    filterShape,
  };
}

export const windowUniforms = ({ axes, channels, outChannels }: Window): Uniform[] => [
  u32("channels", channels),
  u32("outChannels", outChannels),
  ...axes.flatMap(({ name, input, output, size, stride, dilation, before }) => [
    u32(`in${name}`, input),
    u32(`out${name}`, output),
    u32(`size${name}`, size),
    u32(`stride${name}`, stride),
    u32(`dilation${name}`, dilation),
    u32(`before${name}`, before),
  ]),
];

/** Elements of the window for one channel. */
export const tapCount = ({ axes }: Window): number => axes.reduce((product, { size }) => product * size, 1);

/** Output positions of all images. */
export const positionCount = ({ batch, axes }: Window): number =>
  axes.reduce((product, { output }) => product * output, batch);

type Extent = "in" | "out" | "size";
const coordinateOf = { in: "at", out: "to", size: "tap" } as const;

/** WGSL statements that split `from`, an index over `axes` (and images, unless of the window), into coordinates. */
export function split(axes: readonly Axis[], extent: Extent, from: string, suffix = ""): string {
  const lines: string[] = [];
  let rest = from;
  for (const [i, { name }] of [...axes].reverse().entries()) {
    const last = extent === "size" && i === axes.length - 1;
    lines.push(
      `let ${coordinateOf[extent]}${name}${suffix} = ${last ? rest : `${rest} % u.${extent}${name}`};`,
    );
    rest = `${rest} / u.${extent}${name}`;
  }
  if (extent !== "size") lines.push(`let image${suffix} = ${rest};`);
  return lines.join(" ");
}

/** WGSL of the index over images and `axes` that coordinates make, or over the window only. */
export function join(axes: readonly Axis[], extent: Extent, suffix = ""): string {
  const start = extent === "size" ? "0u" : `image${suffix}`;
  return axes.reduce(
    (sum, { name }) => `(${sum} * u.${extent}${name} + ${coordinateOf[extent]}${name}${suffix})`,
    start,
  );
}

/** WGSL loops over the window: `body` sees every `tapA`. */
export const overTaps = (axes: readonly Axis[], body: string): string =>
  axes.reduceRight(
    (inner, { name: a }) => `for (var tap${a} = 0u; tap${a} < u.size${a}; tap${a}++) {\n${inner}\n}`,
    body,
  );

/** WGSL loops over the window at the output position `toA`: `body` sees `tapA` and the positions `atA` inside the input. */
export const overInputs = ({ axes }: Window, body: string): string =>
  axes.reduceRight(
    (inner, { name: a }) => `for (var tap${a} = 0u; tap${a} < u.size${a}; tap${a}++) {
  let at${a} = to${a} * u.stride${a} + tap${a} * u.dilation${a} - u.before${a};
  if (at${a} >= u.in${a}) { continue; }
  ${inner}
}`,
    body,
  );

/** WGSL loops over the output positions whose window holds the input position `atA`: `body` sees `toA` and `tapA`. */
export const overOutputs = ({ axes }: Window, body: string): string =>
  axes.reduceRight(
    (inner, { name: a }) => `for (var tap${a} = 0u; tap${a} < u.size${a}; tap${a}++) {
  let down${a} = at${a} + u.before${a} - tap${a} * u.dilation${a};
  let to${a} = down${a} / u.stride${a};
  if (to${a} >= u.out${a} || to${a} * u.stride${a} != down${a}) { continue; }
  ${inner}
}`,
    body,
  );
