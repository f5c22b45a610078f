import * as tf from "@tensorflow/tfjs-core";
import { f32, type Uniform, u32 } from "../launch.js";
import { affineCopy } from "./affine-copy.js";
import { compensated, compensationUniforms } from "./compensated-sum.js";
import { type Attributes, elementType, type Kernel, type KernelTable } from "./kernel.js";
import { stridesOf } from "./moves.js";
import { reduce } from "./reduce.js";

/** Every pixel `factor` times in both directions: a copy that stands still along the repetitions. */
const upsampleNearest: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const [batch, height, width, channels] = x.shape;
  const { factor } = attrs;
  const y = backend.outputLike([x], [batch, height * factor, width * factor, channels]);
  const shape = [batch, height, factor, width, factor, channels];
  const [image, line, pixel] = stridesOf(x.shape);
  affineCopy(backend, {
    name: "UpsampleNearest2d",
    shape,
    from: { info: x, offset: 0, strides: [image, line, 0, pixel, 0, 1] },
    to: { info: y, offset: 0, strides: stridesOf(shape) },
  });
  return y;
};

const upsampleNearestGrad: Kernel = ({ inputs: { dy }, attrs, backend }) => {
  const [batch, height, width, channels] = dy.shape;
  const { factor } = attrs;
  const split = { ...dy, shape: [batch, height / factor, factor, width / factor, factor, channels] };
  return reduce(backend, split, { name: "Sum", axes: [2, 4] });
};

type Name = "ResizeBilinear" | "ResizeNearestNeighbor";

const keyOf = ({ alignCorners, halfPixelCenters }: Attributes) =>
  `${Boolean(alignCorners)}${Boolean(halfPixelCenters)}`;

/** Sizes, and the step in the input from one output pixel to the next, as tfjs reckons it. */
function uniformsOf(from: number[], to: number[], { alignCorners }: Attributes): Uniform[] {
  const steps = [1, 2].map((i) =>
    alignCorners && to[i] > 1 ? (from[i] - 1) / (to[i] - 1) : from[i] / to[i],
  );
  return [
    u32("channels", from[3]),
    u32("height", from[1]),
    u32("width", from[2]),
    u32("newHeight", to[1]),
    u32("newWidth", to[2]),
    f32("stepY", steps[0]),
    f32("stepX", steps[1]),
  ];
}

/**
 * Where output pixels come from along one axis, in WGSL: two neighbours `low` and `high`, `high` with weight `share`. The
 * nearest neighbour is the case where both are the same.
 */
const sampling = (name: Name, { alignCorners, halfPixelCenters }: Attributes) => {
  const bilinear = name === "ResizeBilinear";
  const source = halfPixelCenters ? `(f32(to) + 0.5) * step${bilinear ? " - 0.5" : ""}` : "f32(to) * step";
  const taps = bilinear
    ? `let low = max(0.0, floor(source));
  return Taps(u32(low), min(size - 1u, u32(max(0.0, ceil(source)))), source - low);`
    : `let at = u32(clamp(floor(source${alignCorners ? " + 0.5" : ""}), 0.0, f32(size) - 1.0));
  return Taps(at, at, 0.0);`;
  return `
struct Taps { low: u32, high: u32, share: f32 }
fn tapsOf(to: u32, step: f32, size: u32) -> Taps {
  let source = ${source};
  ${taps}
}`;
};

const resize =
  (name: Name): Kernel =>
  ({ inputs: { images }, attrs, backend }) => {
    const [batch, , , channels] = images.shape;
    const shape = [batch, ...attrs.size, channels];
    const bilinear = name === "ResizeBilinear";
    const output = bilinear ? backend.activation(shape, [images]) : backend.outputLike([images], shape);
    backend.launch({
      name,
      key: keyOf(attrs),
      inputs: [{ name: "x", info: images }],
      outputs: [{ name: "result", info: output }],
      count: tf.util.sizeFromShape(shape),
      uniforms: uniformsOf(images.shape, shape, attrs),
      declarations: () => `${sampling(name, attrs)}
fn pixel(image: u32, y: u32, column: u32, channel: u32) -> ${elementType(output.dtype)} {
  return ${elementType(output.dtype)}(load_x(((image * u.height + y) * u.width + column) * u.channels + channel));
}`,
      body: () => `let channel = index % u.channels;
  let toX = index / u.channels % u.newWidth;
  let toY = index / (u.channels * u.newWidth) % u.newHeight;
  let image = index / (u.channels * u.newWidth * u.newHeight);
  let y = tapsOf(toY, u.stepY, u.height);
  let c = tapsOf(toX, u.stepX, u.width);
  ${
    bilinear
      ? `let above = mix(pixel(image, y.low, c.low, channel), pixel(image, y.low, c.high, channel), c.share);
  let below = mix(pixel(image, y.high, c.low, channel), pixel(image, y.high, c.high, channel), c.share);
  store_result(index, mix(above, below, y.share));`
      : "store_result(index, pixel(image, y.low, c.low, channel));"
  }`,
    });
    return output;
  };

/**
 * An input pixel sums over the output pixels that came from it. Those lie within one input pixel of it, or half a pixel more
 * with half-pixel centres; along each axis the loop covers these and a margin, where weights are 0.
 */
const resizeGradient =
  (name: Name): Kernel =>
  ({ inputs: { dy, images }, attrs, backend }) => {
    const dx = backend.output(images.shape, "float32");
    const sum = compensated("sum");
    const term = "share * load_dy(((image * u.newHeight + toY) * u.newWidth + toX) * u.channels + channel)";
    backend.launch({
      name: `${name}Grad`,
      key: keyOf(attrs),
      inputs: [{ name: "dy", info: dy }],
      outputs: [{ name: "result", info: dx }],
      count: tf.util.sizeFromShape(images.shape),
      uniforms: [...compensationUniforms, ...uniformsOf(images.shape, dy.shape, attrs)],
      declarations: () => `${sampling(name, attrs)}
fn weight(to: u32, at: u32, step: f32, size: u32) -> f32 {
  let taps = tapsOf(to, step, size);
  return select(0.0, 1.0 - taps.share, taps.low == at) + select(0.0, taps.share, taps.high == at);
}
fn first(at: u32, step: f32, count: u32) -> u32 {
  if (step == 0.0) { return 0u; }
  return u32(clamp(floor((f32(at) - 1.0) / step) - 2.0, 0.0, f32(count)));
}
fn end(at: u32, step: f32, count: u32) -> u32 {
  if (step == 0.0) { return count; }
  return u32(clamp(ceil((f32(at) + 1.5) / step) + 2.0, 0.0, f32(count)));
}`,
      body: () => `let channel = index % u.channels;
  let atX = index / u.channels % u.width;
  let atY = index / (u.channels * u.width) % u.height;
  let image = index / (u.channels * u.width * u.height);
  let firstX = first(atX, u.stepX, u.newWidth);
  let endX = end(atX, u.stepX, u.newWidth);
  ${sum.declarations}
  for (var toY = first(atY, u.stepY, u.newHeight); toY < end(atY, u.stepY, u.newHeight); toY++) {
    let weightY = weight(toY, atY, u.stepY, u.height);
    if (weightY == 0.0) { continue; }
    for (var toX = firstX; toX < endX; toX++) {
      let share = weightY * weight(toX, atX, u.stepX, u.width);
      if (share == 0.0) { continue; }
      ${sum.add(term)}
    }
  }
  store_result(index, ${sum.value});`,
    });
    return dx;
  };

export const resizeKernels: KernelTable = {
  UpsampleNearest2d: upsampleNearest,
  UpsampleNearest2dGrad: upsampleNearestGrad,
  ResizeBilinear: resize("ResizeBilinear"),
  ResizeBilinearGrad: resizeGradient("ResizeBilinear"),
  ResizeNearestNeighbor: resize("ResizeNearestNeighbor"),
  ResizeNearestNeighborGrad: resizeGradient("ResizeNearestNeighbor"),
};
