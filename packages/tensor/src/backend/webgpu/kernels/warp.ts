import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { checkBoxImages } from "../../box-images.js";
import { f32, type Uniform, u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { elementType, type Kernel, type KernelTable } from "./kernel.js";

type Interpolation = "bilinear" | "nearest";

const sizes = ([, height, width, channels]: number[], [, newHeight, newWidth]: number[]): Uniform[] => [
  u32("height", height),
  u32("width", width),
  u32("channels", channels),
  u32("newHeight", newHeight),
  u32("newWidth", newWidth),
];

/** WGSL of output coordinates. */
const coordinates = `let channel = index % u.channels;
  let toX = index / u.channels % u.newWidth;
  let toY = index / (u.channels * u.newWidth) % u.newHeight;
  let item = index / (u.channels * u.newWidth * u.newHeight);`;

/** WGSL of `sample(image, y, x, channel)` between pixels of `images`; `fillOf(channel)` lies around them. */
const sampling = (interpolation: Interpolation) => `
fn pixel(image: u32, y: f32, x: f32, channel: u32) -> f32 {
  // False for NaN too.
  if (!(y >= 0.0 && y < f32(u.height) && x >= 0.0 && x < f32(u.width))) { return fillOf(channel); }
  return f32(load_images(((image * u.height + u32(y)) * u.width + u32(x)) * u.channels + channel));
}
fn sample(image: u32, y: f32, x: f32, channel: u32) -> f32 {
  ${
    interpolation === "nearest"
      ? "return pixel(image, floor(y + 0.5), floor(x + 0.5), channel);"
      : `let top = floor(y);
  let left = floor(x);
  let above = mix(pixel(image, top, left, channel), pixel(image, top, ceil(x), channel), x - left);
  let below = mix(pixel(image, ceil(y), left, channel), pixel(image, ceil(y), ceil(x), channel), x - left);
  return mix(above, below, y - top);`
  }
}`;

/**
 * Boxes [y1, x1, y2, x2] of images, in fractions of their sides, resampled to one size. An image out of range throws where `boxInd` still
 * lies on the host; on the device it gives zeros, since a shader cannot throw.
 */
const cropAndResize: Kernel = ({ inputs: { image, boxes, boxInd }, attrs, backend }) => {
  const { cropSize, method, extrapolationValue } = attrs;
  checkBoxImages(backend.hostValues(boxInd.dataId) as Int32Array | null, image.shape[0]);
  const shape = [boxes.shape[0], ...cropSize, image.shape[3]];
  const output = backend.output(shape, "float32");
  backend.launch({
    name: "CropAndResize",
    key: method,
    inputs: [
      { name: "images", info: image },
      { name: "boxes", info: boxes },
      { name: "owners", info: boxInd },
    ],
    outputs: [{ name: "result", info: output }],
    count: tf.util.sizeFromShape(shape),
    uniforms: [
      ...sizes(image.shape, shape),
      u32("batch", image.shape[0]),
      f32("extrapolation", extrapolationValue),
    ],
    // The ends are met exactly, so that rounding puts no edge outside the image.
    declarations: () => `
fn fillOf(channel: u32) -> f32 { return u.extrapolation; }
${sampling(method)}
fn along(start: f32, end: f32, at: u32, count: u32, size: u32) -> f32 {
  var position = 0.5 * (start + end);
  if (count > 1u) { position = select(mix(start, end, f32(at) / f32(count - 1u)), end, at == count - 1u); }
  return position * f32(size - 1u);
}`,
    body: () => `${coordinates}
  let owner = load_owners(item);
  if (owner < 0 || u32(owner) >= u.batch) { store_result(index, 0.0); return; }
  let y = along(load_boxes(item * 4u), load_boxes(item * 4u + 2u), toY, u.newHeight, u.height);
  let x = along(load_boxes(item * 4u + 1u), load_boxes(item * 4u + 3u), toX, u.newWidth, u.width);
  if (y < 0.0 || y > f32(u.height - 1u) || x < 0.0 || x > f32(u.width - 1u)) {
    store_result(index, u.extrapolation);
    return;
  }
  store_result(index, sample(u32(owner), y, x, channel));`,
  });
  return output;
};

/** WGSL that brings the coordinate `at` into an axis of `n` pixels, as TensorFlow does. */
const beyond: Record<string, string> = {
  constant: "return at;",
  nearest: "return clamp(at, 0.0, n - 1.0);",
  reflect: `if (n <= 1.0) { return 0.0; }
  var within = at;
  if (at < 0.0) {
    within = at + 2.0 * n * trunc(-at / (2.0 * n));
    within = select(-within - 1.0, within + 2.0 * n, within < -n);
  } else if (at > n - 1.0) {
    within = at - 2.0 * n * trunc(at / (2.0 * n));
    within = select(within, 2.0 * n - within - 1.0, within >= n);
  }
  return clamp(within, 0.0, n - 1.0);`,
  wrap: `if (n <= 1.0) { return 0.0; }
  var within = at;
  if (at < 0.0) { within = at + n * (trunc(-at / (n - 1.0)) + 1.0); }
  else if (at > n - 1.0) { within = at - n * trunc(at / (n - 1.0)); }
  return clamp(within, 0.0, n - 1.0);`,
};

interface Warp {
  name: string;
  image: TensorInfo;
  /** [batch or 1, 8]: rows of projective maps from output to input positions, whose ninth number is 1. */
  maps: TensorInfo;
  size: [number, number];
  interpolation: Interpolation;
  fillMode: string;
  /** For the first four channels; the last is for all that follow. */
  fill: [number, number, number, number];
}

function warp(backend: WebGPUBackend, { name, image, maps, size, interpolation, fillMode, fill }: Warp) {
  const shape = [image.shape[0], ...size, image.shape[3]];
  const output = backend.output(shape, image.dtype);
  backend.launch({
    name,
    key: `${interpolation}/${fillMode}`,
    inputs: [
      { name: "images", info: image },
      { name: "maps", info: maps },
    ],
    outputs: [{ name: "result", info: output }],
    count: tf.util.sizeFromShape(shape),
    uniforms: [
      ...sizes(image.shape, shape),
      u32("mapStep", maps.shape[0] === 1 ? 0 : 8),
      ...fill.map((value, channel) => f32(`fill${channel}`, value)),
    ],
    declarations: () => `
fn fillOf(channel: u32) -> f32 { return vec4<f32>(u.fill0, u.fill1, u.fill2, u.fill3)[min(channel, 3u)]; }
${sampling(interpolation)}
fn inside(at: f32, size: u32) -> f32 {
  let n = f32(size);
  ${beyond[fillMode]}
}`,
    body: () => `${coordinates}
  let map = item * u.mapStep;
  let position = vec3<f32>(f32(toX), f32(toY), 1.0);
  let depth = dot(position, vec3<f32>(load_maps(map + 6u), load_maps(map + 7u), 1.0));
  if (depth == 0.0) { store_result(index, ${elementType(image.dtype)}(fillOf(channel))); return; }
  let x = dot(position, vec3<f32>(load_maps(map), load_maps(map + 1u), load_maps(map + 2u))) / depth;
  let y = dot(position, vec3<f32>(load_maps(map + 3u), load_maps(map + 4u), load_maps(map + 5u))) / depth;
  store_result(index, ${elementType(image.dtype)}(sample(item, inside(y, u.height), inside(x, u.width), channel)));`,
  });
  return output;
}

const transform: Kernel = ({ inputs: { image, transforms }, attrs, backend }) => {
  const { interpolation, fillMode, fillValue, outputShape } = attrs;
  return warp(backend, {
    name: "Transform",
    image,
    maps: transforms,
    size: outputShape ?? [image.shape[1], image.shape[2]],
    interpolation,
    fillMode: beyond[fillMode] ? fillMode : "constant",
    fill: [fillValue, fillValue, fillValue, fillValue],
  });
};

const rotateWithOffset: Kernel = ({ inputs: { image }, attrs, backend }) => {
  const { radians, fillValue, center } = attrs;
  const [, height, width] = image.shape;
  const [centerX, centerY] = tf.backend_util.getImageCenter(center, height, width);
  const [sin, cos] = [Math.sin(radians), Math.cos(radians)];
  const offsetX = centerX - centerX * cos + centerY * sin;
  const offsetY = centerY - centerX * sin - centerY * cos;
  const map = Float32Array.of(cos, -sin, offsetX, sin, cos, offsetY, 0, 0);
  const maps = backend.fromHost(map, [1, 8], "float32");
  // Where the fill is a colour, its alpha is opaque.
  const [red, green, blue] = [0, 1, 2].map((i) => (Array.isArray(fillValue) ? fillValue[i] : fillValue));
  const alpha = Array.isArray(fillValue) ? 255 : fillValue;
  const rotated = warp(backend, {
    name: "RotateWithOffset",
    image,
    maps,
    size: [height, width],
    interpolation: "nearest",
    fillMode: "constant",
    fill: [red, green, blue, alpha],
  });
  backend.disposeAll(maps);
  return rotated;
};

export const warpKernels: KernelTable = {
  CropAndResize: cropAndResize,
  Transform: transform,
  RotateWithOffset: rotateWithOffset,
};
