import * as tf from "@tensorflow/tfjs-core";
import { u32, u32List } from "../launch.js";
import { affineCopy } from "./affine-copy.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { pad, slice, stridesOf, transpose } from "./moves.js";

const { getReshaped, getPermuted, getReshapedPermuted } = tf.backend_util;

const spaceToBatchNd: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const { blockShape, paddings } = attrs;
  const block = tf.util.sizeFromShape(blockShape);
  const rest = x.shape.slice(1 + blockShape.length).map(() => [0, 0]);
  const padded = pad(backend, x, { paddings: [[0, 0], ...paddings, ...rest], value: 0 });
  const split = { ...padded, shape: getReshaped(padded.shape, blockShape, block, false) };
  const moved = transpose(backend, split, getPermuted(split.shape.length, blockShape.length, false));
  backend.disposeAll(padded);
  return { ...moved, shape: getReshapedPermuted(padded.shape, blockShape, block, false) };
};

const batchToSpaceNd: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const { blockShape } = attrs;
  const crops: [number, number][] = attrs.crops;
  const block = tf.util.sizeFromShape(blockShape);
  const split = { ...x, shape: getReshaped(x.shape, blockShape, block) };
  const moved = transpose(backend, split, getPermuted(split.shape.length, blockShape.length));
  const whole = { ...moved, shape: getReshapedPermuted(x.shape, blockShape, block) };
  const cropOf = (axis: number) => crops[axis - 1] ?? [0, 0];
  const begin = whole.shape.map((_, axis) => cropOf(axis)[0]);
  const size = whole.shape.map((n, axis) => n - cropOf(axis)[0] - cropOf(axis)[1]);
  const cropped = slice(backend, whole, { begin, size });
  backend.disposeAll(moved);
  return cropped;
};

/** Channels, which run over (row in block, column in block, own channel), become blocks of pixels. */
const depthToSpace: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const { blockSize: block, dataFormat } = attrs;
  const last = dataFormat === "NHWC";
  const [batch, height, width, depth] = last ? x.shape : [x.shape[0], x.shape[2], x.shape[3], x.shape[1]];
  const channels = depth / (block * block);
  if (last) {
    const split = { ...x, shape: [batch, height, width, block, block, channels] };
    const moved = transpose(backend, split, [0, 1, 3, 2, 4, 5]);
    return { ...moved, shape: [batch, height * block, width * block, channels] };
  }
  const split = { ...x, shape: [batch, block, block, channels, height, width] };
  const moved = transpose(backend, split, [0, 3, 4, 1, 5, 2]);
  return { ...moved, shape: [batch, channels, height * block, width * block] };
};

const flipLeftRight: Kernel = ({ inputs: { image }, backend }) => {
  const strides = stridesOf(image.shape);
  const [a, b, column, d] = strides;
  const output = backend.outputLike([image], image.shape);
  affineCopy(backend, {
    name: "FlipLeftRight",
    shape: image.shape,
    from: { info: image, offset: (image.shape[2] - 1) * column, strides: [a, b, -column, d] },
    to: { info: output, offset: 0, strides },
  });
  return output;
};

/** Padding with what lies inside the edge, in mirror image: "reflect" leaves the edge itself out. */
const mirrorPad: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const paddings: [number, number][] = attrs.paddings;
  const shape = x.shape.map((n, axis) => n + paddings[axis][0] + paddings[axis][1]);
  const output = backend.outputLike([x], shape);
  const rank = shape.length;
  backend.launch({
    name: "MirrorPad",
    key: `${rank}`,
    inputs: [{ name: "x", info: x, type: "u32" }],
    outputs: [{ name: "result", info: output, type: "u32" }],
    count: tf.util.sizeFromShape(shape),
    uniforms: [
      ...u32List("dim", shape),
      ...u32List("size", x.shape),
      ...u32List(
        "before",
        paddings.map(([before]) => before),
      ),
      u32("edge", attrs.mode === "reflect" ? 0 : 1),
    ],
    body: () => `var rest = index;
  var source = 0u;
  var step = 1u;
  ${Array.from(shape, (_, i) => rank - 1 - i)
    .map(
      (axis) => `{
    var at = i32(rest % u.dim${axis}) - i32(u.before${axis});
    if (at < 0) { at = -at - i32(u.edge); }
    if (at >= i32(u.size${axis})) { at = 2 * (i32(u.size${axis}) - 1) - at + i32(u.edge); }
    source += u32(at) * step;
    step *= u.size${axis};
    rest /= u.dim${axis};
  }`,
    )
    .join("\n  ")}
  store_result(index, load_x(source));`,
  });
  return output;
};

export const rearrangeKernels: KernelTable = {
  SpaceToBatchND: spaceToBatchNd,
  BatchToSpaceND: batchToSpaceNd,
  DepthToSpace: depthToSpace,
  FlipLeftRight: flipLeftRight,
  MirrorPad: mirrorPad,
};
