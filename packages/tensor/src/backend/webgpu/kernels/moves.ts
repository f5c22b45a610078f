import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { u32, u32List } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { affineCopy, type Layout } from "./affine-copy.js";
import { fill } from "./fill.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { cast } from "./shape.js";

const { sizeFromShape, parseAxisParam } = tf.util;

/** Steps of a dense tensor, one for each axis. */
export const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => sizeFromShape(shape.slice(axis + 1) as number[]));

const dense = (shape: readonly number[]): Layout => ({ offset: 0, strides: stridesOf(shape) });

/** A fresh dense tensor of `shape`, read from `x` through a layout. */
function gathered(
  backend: WebGPUBackend,
  x: TensorInfo,
  { name, shape, ...layout }: Layout & { name: string; shape: number[] },
): TensorInfo {
  const output = backend.outputLike([x], shape);
  affineCopy(backend, { name, shape, from: { info: x, ...layout }, to: { info: output, ...dense(shape) } });
  return output;
}

export function transpose(backend: WebGPUBackend, x: TensorInfo, perm: readonly number[]): TensorInfo {
  const strides = stridesOf(x.shape);
  const shape = perm.map((axis) => x.shape[axis]);
  // Moving only axes of size 1 moves nothing.
  const moving = perm.filter((axis) => x.shape[axis] !== 1);
  if (moving.every((axis, i) => i === 0 || moving[i - 1] < axis)) return backend.alias(x, shape);
  return gathered(backend, x, {
    name: "Transpose",
    shape,
    offset: 0,
    strides: perm.map((axis) => strides[axis]),
  });
}

export function slice(
  backend: WebGPUBackend,
  x: TensorInfo,
  { begin, size, name = "Slice" }: { begin: readonly number[]; size: readonly number[]; name?: string },
): TensorInfo {
  // A slice of everything has the same values.
  if (tf.util.arraysEqual(size as number[], x.shape)) return backend.alias(x, [...size]);
  const strides = stridesOf(x.shape);
  const offset = begin.reduce((sum, start, axis) => sum + start * strides[axis], 0);
  return gathered(backend, x, { name, shape: [...size], offset, strides });
}

/** Tensors one after another along `axis`. */
export function concat(
  backend: WebGPUBackend,
  parts: TensorInfo[],
  { axis, name = "Concat" }: { axis: number; name?: string },
): TensorInfo {
  const shapes = parts.map((part) => part.shape);
  const shape = tf.backend_util.computeOutShape(shapes, axis);
  const output = backend.outputLike(parts, shape);
  if (shape.includes(0)) return output;
  const strides = stridesOf(shape);
  const rows = sizeFromShape(shape.slice(0, axis));
  const along = shape[axis] * strides[axis];
  let start = 0;
  for (const group of neighbours(parts)) {
    if (group.length > 1) {
      copyTogether(backend, group, { name, rows, output, offset: start * strides[axis], along });
    } else {
      const [info] = group;
      affineCopy(backend, {
        name,
        shape: info.shape,
        from: { info, ...dense(info.shape) },
        to: { info: output, offset: start * strides[axis], strides },
      });
    }
    start += group.reduce((sum, part) => sum + part.shape[axis], 0);
  }
  return output;
}

/** Tensors that one dispatch copies at most: with the output, every adapter has that many bindings. */
const most = 7;
/** Elements of these tensors together, at most. A dispatch costs as much as moving some ten thousand elements. */
const elementsTogether = 2 ** 15;

function neighbours(parts: TensorInfo[]): TensorInfo[][] {
  const groups: TensorInfo[][] = [];
  let room = 0;
  for (const part of parts) {
    const last = groups[groups.length - 1];
    const size = sizeFromShape(part.shape);
    if (last && last.length < most && size <= room) last.push(part);
    else {
      groups.push([part]);
      room = elementsTogether;
    }
    room -= size;
  }
  return groups;
}

/** Copies dense parts of `rows` rows each into rows of `along` elements, one after another from `offset` on. */
function copyTogether(
  backend: WebGPUBackend,
  parts: TensorInfo[],
  {
    name,
    rows,
    output,
    offset,
    along,
  }: { name: string; rows: number; output: TensorInfo; offset: number; along: number },
): void {
  const widths = parts.map(({ shape }) => sizeFromShape(shape) / rows);
  const step = [...widths, offset, along].every((n) => n % 4 === 0) ? 4 : 1;
  const type = step === 4 ? "vec4<u32>" : "u32";
  const ends = widths.map((_, i) => widths.slice(0, i + 1).reduce((a, b) => a + b) / step);
  const rowLength = ends[ends.length - 1];
  backend.launch({
    name,
    key: `together${parts.length}`,
    inputs: parts.map((info, i) => ({ name: `part${i}`, info, type })),
    outputs: [{ name: "destination", info: output, type }],
    count: rows * rowLength,
    rowLength,
    uniforms: [u32("offset", offset / step), u32("along", along / step), ...u32List("end", ends)],
    body: () => {
      const branches = parts.map((_, i) => {
        const before = i === 0 ? "0u" : `u.end${i - 1}`;
        return `if (column < u.end${i}) { moved = load_part${i}(row * (u.end${i} - ${before}) + column - ${before}); }`;
      });
      return `var moved = ${type}();
  ${branches.join("\n  else ")}
  store_destination(u.offset + row * u.along + column, moved);`;
    },
  });
}

const concatKernel: Kernel = ({ inputs, attrs, backend }) => {
  const given = Object.values(inputs);
  const { dtype } = given[0];
  // Bits are moved, so that all must be of one type: the first's, as tfjs's CPU backend has it.
  const changed = given.filter((x) => x.dtype !== dtype).map((x) => [x, cast(backend, x, dtype)] as const);
  if (changed.length > 0) {
    const casts = new Map(changed);
    const same = Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name, casts.get(x) ?? x]));
    const output = concatKernel({ inputs: same, attrs, backend });
    backend.disposeAll(...casts.values());
    return output;
  }
  const all = given;
  const axis = parseAxisParam(attrs.axis, all[0].shape)[0];
  tf.backend_util.assertParamsConsistent(
    all.map(({ shape }) => shape),
    axis,
  );
  const parts = all.filter(({ shape }) => sizeFromShape(shape) > 0);
  if (parts.length === 1) return backend.alias(parts[0], parts[0].shape);
  if (parts.length === 0)
    return backend.output(
      tf.backend_util.computeOutShape(
        all.map((t) => t.shape),
        axis,
      ),
      all[0].dtype,
    );
  return concat(backend, parts, { axis });
};

const pack: Kernel = ({ inputs, attrs, backend }) => {
  const parts = Object.values(inputs);
  const { shape, dtype } = parts[0];
  const axis = attrs.axis < 0 ? attrs.axis + shape.length + 1 : attrs.axis;
  const wider = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
  for (const part of parts) {
    tf.util.assertShapesMatch(shape, part.shape, "All tensors passed to stack must have matching shapes");
    tf.util.assert(dtype === part.dtype, () => "All tensors passed to stack must have matching dtypes");
  }
  return concat(
    backend,
    parts.map((part) => ({ ...part, shape: wider })),
    { axis, name: "Pack" },
  );
};

const unpack: Kernel = ({ inputs: { value }, attrs, backend }) => {
  const axis = attrs.axis < 0 ? attrs.axis + value.shape.length : attrs.axis;
  const size = value.shape.map((n, i) => (i === axis ? 1 : n));
  const shape = value.shape.filter((_, i) => i !== axis);
  return Array.from({ length: value.shape[axis] }, (_, i) => {
    const begin = value.shape.map((_n, d) => (d === axis ? i : 0));
    return { ...slice(backend, value, { begin, size, name: "Unpack" }), shape };
  });
};

const splitV: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const axis = parseAxisParam(attrs.axis, x.shape)[0];
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, attrs.numOrSizeSplits, axis);
  let start = 0;
  return sizes.map((n) => {
    const begin = x.shape.map((_, d) => (d === axis ? start : 0));
    start += n;
    const size = x.shape.map((all, d) => (d === axis ? n : all));
    return slice(backend, x, { begin, size, name: "SplitV" });
  });
};

const sliceKernel: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const [begin, size] = tf.slice_util.parseSliceParams(x as tf.Tensor, attrs.begin, attrs.size);
  tf.slice_util.assertParamsValid(x as tf.Tensor, begin, size);
  return slice(backend, x, { begin, size });
};

const stridedSlice: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attrs;
  const info = tf.slice_util.sliceInfo(
    x.shape,
    begin,
    end,
    strides,
    beginMask,
    endMask,
    ellipsisMask,
    newAxisMask,
    shrinkAxisMask,
  );
  const sparse = info.finalShapeSparse;
  if (sparse.some((n) => n === 0)) return backend.output(info.finalShape, x.dtype);
  const own = stridesOf(x.shape);
  const taken = tf.slice_util.computeOutShape(info.begin, info.end, info.strides);
  const offset = info.begin.reduce((sum, start, axis) => sum + start * own[axis], 0);
  const steps = own.map((step, axis) => step * info.strides[axis]);
  const slices = gathered(backend, x, { name: "StridedSlice", shape: taken, offset, strides: steps });
  return { ...slices, shape: info.finalShape };
};

const reverse: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const axes = parseAxisParam(attrs.dims, x.shape);
  if (x.shape.length === 0) return backend.alias(x, x.shape);
  const own = stridesOf(x.shape);
  const offset = axes.reduce((sum, axis) => sum + (x.shape[axis] - 1) * own[axis], 0);
  const strides = own.map((step, axis) => (axes.includes(axis) ? -step : step));
  return gathered(backend, x, { name: "Reverse", shape: x.shape, offset, strides });
};

/** Every axis becomes two, of which the first, the repetitions, does not move the source. */
const tile: Kernel = ({ inputs: { x }, attrs, backend }) => {
  const reps: number[] = attrs.reps;
  const own = stridesOf(x.shape);
  const split = x.shape.flatMap((n, axis) => [reps[axis], n]);
  const output = gathered(backend, x, {
    name: "Tile",
    shape: split,
    offset: 0,
    strides: own.flatMap((step) => [0, step]),
  });
  return { ...output, shape: x.shape.map((n, axis) => n * reps[axis]) };
};

export function broadcastTo(backend: WebGPUBackend, x: TensorInfo, shape: number[]): TensorInfo {
  const padded = [...new Array(shape.length - x.shape.length).fill(1), ...x.shape];
  const own = stridesOf(padded);
  return gathered(backend, x, {
    name: "BroadcastTo",
    shape,
    offset: 0,
    strides: own.map((step, axis) => (padded[axis] === 1 ? 0 : step)),
  });
}

const broadcastToKernel: Kernel = ({ inputs: { x }, attrs, backend }) => broadcastTo(backend, x, attrs.shape);

/** `x` inside a larger tensor of `value`. */
export function pad(
  backend: WebGPUBackend,
  x: TensorInfo,
  { paddings, value }: { paddings: readonly (readonly number[])[]; value: number },
): TensorInfo {
  const shape = x.shape.map((n, axis) => n + paddings[axis][0] + paddings[axis][1]);
  if (paddings.every(([before, after]) => before === 0 && after === 0)) return backend.alias(x, shape);
  const output = fill(backend, shape, { dtype: x.dtype, value });
  if (sizeFromShape(x.shape) === 0) return output;
  const strides = stridesOf(shape);
  const offset = paddings.reduce((sum, [before], axis) => sum + before * strides[axis], 0);
  affineCopy(backend, {
    name: "PadV2",
    shape: x.shape,
    from: { info: x, ...dense(x.shape) },
    to: { info: output, offset, strides },
  });
  return output;
}

const padV2: Kernel = ({ inputs: { x }, attrs, backend }) =>
  pad(backend, x, { paddings: attrs.paddings, value: attrs.constantValue });

const transposeKernel: Kernel = ({ inputs: { x }, attrs, backend }) => transpose(backend, x, attrs.perm);

const flipLeftRight: Kernel = ({ inputs: { image }, backend }) =>
  reverse({ inputs: { x: image }, attrs: { dims: [2] }, backend });

/** A tensor along the diagonal of one of twice its rank. */
const diag: Kernel = ({ inputs: { x }, backend }) => {
  const n = sizeFromShape(x.shape);
  const output = fill(backend, [...x.shape, ...x.shape], { dtype: x.dtype, value: 0 });
  affineCopy(backend, {
    name: "Diag",
    shape: [n],
    from: { info: x, ...dense([n]) },
    to: { info: output, offset: 0, strides: [n + 1] },
  });
  return output;
};

export const moveKernels: KernelTable = {
  Transpose: transposeKernel,
  Slice: sliceKernel,
  StridedSlice: stridedSlice,
  Reverse: reverse,
  FlipLeftRight: flipLeftRight,
  Diag: diag,
  Tile: tile,
  BroadcastTo: broadcastToKernel,
  PadV2: padV2,
  Concat: concatKernel,
  Pack: pack,
  Unpack: unpack,
  SplitV: splitV,
};
