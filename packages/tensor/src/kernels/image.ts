import { f32, u32 } from "../backend/launch.js";
import { affineCopy } from "./affine-copy.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { stridesOf } from "./moves.js";
import { reduce } from "./reduce.js";

/** Every pixel `factor` times in both directions: a copy that stands still along the repetitions. */
const upsampleNearest: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const [batch, height, width, channels] = x.shape;
  const { factor } = attrs;
  const y = backend.output([batch, height * factor, width * factor, channels], x.dtype);
  const shape = [batch, height, factor, width, factor, channels];
  const [image, line, pixel] = stridesOf(x.shape);
  affineCopy(
    backend,
    "UpsampleNearest2d",
    shape,
    [x, { offset: 0, strides: [image, line, 0, pixel, 0, 1] }],
    [y, { offset: 0, strides: stridesOf(shape) }],
  );
  return y;
};

const upsampleNearestGrad: Kernel = ({ inputs: { dy }, attrs, backend }) => {
  const [batch, height, width, channels] = dy.shape;
  const { factor } = attrs;
  const split = { ...dy, shape: [batch, height / factor, factor, width / factor, factor, channels] };
  return reduce(backend, "Sum", split, [2, 4]);
};

/** Where an output pixel falls in the input, as tfjs reckons it. */
function ratios(from: number[], to: number[], alignCorners: boolean) {
  return from.map((n, i) => (alignCorners && to[i] > 1 ? (n - 1) / (to[i] - 1) : n / to[i]));
}

const resize =
  (name: "ResizeBilinear" | "ResizeNearestNeighbor"): Kernel =>
  ({ inputs: { images }, attrs, backend }) => {
    const [batch, height, width, channels] = images.shape;
    const [newHeight, newWidth] = attrs.size;
    const { alignCorners, halfPixelCenters } = attrs;
    const output = backend.output([batch, newHeight, newWidth, channels], "float32");
    const [ratioY, ratioX] = ratios([height, width], [newHeight, newWidth], alignCorners);
    const bilinear = name === "ResizeBilinear";
    const round = alignCorners ? "floor(f + 0.5)" : "floor(f)";
    backend.launch({
      name,
      key: `${Boolean(alignCorners)}${Boolean(halfPixelCenters)}`,
      inputs: [{ name: "x", info: images }],
      outputs: [{ name: "result", info: output }],
      count: batch * newHeight * newWidth * channels,
      uniforms: [
        u32("height", height),
        u32("width", width),
        u32("channels", channels),
        u32("newHeight", newHeight),
        u32("newWidth", newWidth),
        f32("ratioY", ratioY),
        f32("ratioX", ratioX),
      ],
      declarations: () => `
fn source(at: u32, ratio: f32) -> f32 {
  return ${halfPixelCenters ? `ratio * (f32(at) + 0.5)${bilinear ? " - 0.5" : ""}` : "ratio * f32(at)"};
}
fn nearest(f: f32, size: u32) -> u32 { return u32(clamp(${round}, 0.0, f32(size) - 1.0)); }
fn pixel(image: u32, y: u32, column: u32, channel: u32) -> f32 {
  return f32(x[((image * u.height + y) * u.width + column) * u.channels + channel]);
}`,
      body: () => `let channel = index % u.channels;
  let outX = index / u.channels % u.newWidth;
  let outY = index / (u.channels * u.newWidth) % u.newHeight;
  let image = index / (u.channels * u.newWidth * u.newHeight);
  let y = source(outY, u.ratioY);
  let xx = source(outX, u.ratioX);
  ${
    bilinear
      ? `let top = max(0.0, floor(y));
  let left = max(0.0, floor(xx));
  let y0 = u32(top);
  let x0 = u32(left);
  let y1 = min(u.height - 1u, u32(max(0.0, ceil(y))));
  let x1 = min(u.width - 1u, u32(max(0.0, ceil(xx))));
  let above = mix(pixel(image, y0, x0, channel), pixel(image, y0, x1, channel), xx - left);
  let below = mix(pixel(image, y1, x0, channel), pixel(image, y1, x1, channel), xx - left);
  result[index] = mix(above, below, y - top);`
      : "result[index] = pixel(image, nearest(y, u.height), nearest(xx, u.width), channel);"
  }`,
    });
    return output;
  };

export const imageKernels: KernelTable = {
  UpsampleNearest2d: upsampleNearest,
  UpsampleNearest2dGrad: upsampleNearestGrad,
  ResizeBilinear: resize("ResizeBilinear"),
  ResizeNearestNeighbor: resize("ResizeNearestNeighbor"),
};
