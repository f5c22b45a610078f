import type { TensorInfo } from "@tensorflow/tfjs-core";
import { i32, i32List, u32List } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { coordinatesOfRow, mergeStrides } from "./elementwise.js";

/** Where the element at coordinates c lies: `offset + sum_i c_i * strides_i`. */
export interface Layout {
  offset: number;
  strides: readonly number[];
}

/** A tensor and where its elements lie. */
interface LaidOut extends Layout {
  info: TensorInfo;
}

export interface AffineCopy {
  name: string;
  /** Of the grid. */
  shape: readonly number[];
  from: LaidOut;
  to: LaidOut;
}

/**
 * Copies a grid of elements between two layouts: transposition, slices, reversal, tiling, padding, concatenation and
 * broadcasting are all this. Axes that both sides step through alike are merged, and rows go by four where they can.
 */
export function affineCopy(backend: WebGPUBackend, { name, shape, from, to }: AffineCopy): void {
  if (shape.includes(0)) return;
  const merged = mergeStrides(shape, [from.strides, to.strides]);
  // A single element has no axes left.
  const dims = merged.dims.length ? merged.dims : [1];
  const [read, write] = merged.dims.length ? merged.strides : [[1], [1]];
  const inner = dims.length - 1;
  const rows = [...read.slice(0, -1), ...write.slice(0, -1), from.offset, to.offset, dims[inner]];
  const turned = read.indexOf(1);
  if (turned >= 0 && turned !== inner && write[inner] === 1) {
    const steps = [
      ...read.filter((_, axis) => axis !== turned),
      ...write.slice(0, -1),
      from.offset,
      to.offset,
      dims[inner],
      dims[turned],
    ];
    if (steps.every((step) => step % 4 === 0)) {
      copyBlocks(backend, {
        name,
        dims,
        turned,
        from: { ...from, strides: read },
        to: { ...to, strides: write },
      });
      return;
    }
  }
  const vectors = read[inner] === 1 && write[inner] === 1 && rows.every((step) => step % 4 === 0);
  const width = vectors ? 4 : 1;
  const type = vectors ? "vec4<u32>" : "u32";
  const scaled = (steps: readonly number[]) =>
    steps.map((step, axis) => (axis === inner ? step : step / width));
  backend.launch({
    name,
    key: `copy${dims.length}`,
    // Values are moved as bits, so one pipeline serves every dtype.
    inputs: [{ name: "source", info: from.info, type }],
    outputs: [{ name: "destination", info: to.info, type }],
    count: dims.reduce((a, b) => a * b, 1) / width,
    rowLength: dims[inner] / width,
    uniforms: [
      ...u32List("dim", dims.slice(0, -1)),
      ...i32List("read", scaled(read)),
      ...i32List("write", scaled(write)),
      i32("readOffset", from.offset / width),
      i32("writeOffset", to.offset / width),
    ],
    body: () => {
      const lines = coordinatesOfRow(inner);
      const sum = (field: string) =>
        dims
          .map((_, axis) => `i32(${axis === inner ? "column" : `at${axis}`}) * u.${field}${axis}`)
          .join(" + ");
      lines.push(
        `store_destination(u32(u.writeOffset + ${sum("write")}), load_source(u32(u.readOffset + ${sum("read")})));`,
      );
      return lines.join("\n  ");
    },
  });
}

/**
 * Copies between layouts that are dense along different axes, by blocks of 4 x 4: it loads four vectors and stores four. `turned` is the
 * axis along which the source is dense; every other step is a multiple of four.
 */
function copyBlocks(
  backend: WebGPUBackend,
  {
    name,
    dims,
    turned,
    from,
    to,
  }: { name: string; dims: readonly number[]; turned: number; from: LaidOut; to: LaidOut },
): void {
  const [read, write] = [from.strides, to.strides];
  const inner = dims.length - 1;
  const blocks = dims.map((dim, axis) => (axis === inner || axis === turned ? dim / 4 : dim));
  // In vectors: a block further is four elements further, and along the dense axis four elements are one vector.
  const perBlock = (steps: readonly number[]) =>
    steps.map((step, axis) => (axis === inner || axis === turned ? step : step / 4));
  backend.launch({
    name,
    key: `blocks${dims.length},${turned}`,
    inputs: [{ name: "source", info: from.info, type: "vec4<u32>" }],
    outputs: [{ name: "destination", info: to.info, type: "vec4<u32>" }],
    count: blocks.reduce((a, b) => a * b, 1),
    rowLength: blocks[inner],
    uniforms: [
      ...u32List("dim", blocks.slice(0, -1)),
      ...i32List("read", perBlock(read)),
      ...i32List("write", perBlock(write)),
      i32("readOffset", from.offset / 4),
      i32("writeOffset", to.offset / 4),
      i32("readRow", read[inner] / 4),
      i32("writeRow", write[turned] / 4),
    ],
    body: () => {
      const lines = coordinatesOfRow(inner);
      const sum = (field: string) =>
        dims
          .map((_, axis) => `i32(${axis === inner ? "column" : `at${axis}`}) * u.${field}${axis}`)
          .join(" + ");
      lines.push(
        `let from0 = u.readOffset + ${sum("read")};`,
        `let to0 = u.writeOffset + ${sum("write")};`,
        ...[0, 1, 2, 3].map((i) => `let row${i} = load_source(u32(from0 + ${i} * u.readRow));`),
        ...["x", "y", "z", "w"].map(
          (c, j) =>
            `store_destination(u32(to0 + ${j} * u.writeRow), vec4<u32>(row0.${c}, row1.${c}, row2.${c}, row3.${c}));`,
        ),
      );
      return lines.join("\n  ");
    },
  });
}
