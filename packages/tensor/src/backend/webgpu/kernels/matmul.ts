import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { type Binding, type Uniform, u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import { elementwise } from "./elementwise.js";
import {
  activationEpilogue,
  applyFusedActivation,
  type Epilogue,
  fusedActivationOf,
  sumEpilogue,
} from "./epilogue.js";
import { gemm } from "./gemm.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { broadcastTo } from "./moves.js";
import type { Operand, ProductLoop } from "./product-loop.js";
import { reduce } from "./reduce.js";
import { cast } from "./shape.js";

/** Matrices inside a tensor: the steps between batches (outer and inner), rows and columns, in elements. */
export interface MatrixView {
  info: TensorInfo;
  outer: number;
  inner: number;
  row: number;
  column: number;
  /** Where the first begins. Default 0. */
  offset?: number;
}

export interface StridedProduct {
  name: string;
  /** Everything that the WGSL of the parts below depends on besides the name. */
  key?: string;
  a: MatrixView;
  b: MatrixView;
  c: MatrixView;
  /** How many outer and inner batches. */
  batch: readonly [number, number];
  m: number;
  n: number;
  k: number;
  /** The value to write, as in `Gemm.value`. Default `value`. */
  value?: string;
  /** Other inputs, for `declarations`. */
  inputs?: readonly Binding[];
  uniforms?: readonly Uniform[];
  /** WGSL at module scope, for `value` and `mapA`. */
  declarations?: string;
  /**
   * Whether A's elements are mapped before they are multiplied, by what `declarations` then defines:
   * `ofRow(z: u32, row: u32) -> f32`, taken once, and `mapA(value: f32, ofRow: f32, row: u32, k: u32) -> f32`.
   */
  mapA?: boolean;
}

const isMultiple = (of: number, ...steps: number[]) => steps.every((step) => step % of === 0);

/** `C = A B` over batches, from and to any strides. */
export function stridedProduct(backend: WebGPUBackend, op: StridedProduct): void {
  const { a, b, c, m, n, k, batch, mapA = false, inputs = [] } = op;
  const operand = (name: "a" | "b", neighbour: "Row" | "Column", size: number): Operand => {
    const { info, outer, inner, offset = 0, ...steps } = { a, b }[name];
    const [across, along] = neighbour === "Row" ? [steps.row, steps.column] : [steps.column, steps.row];
    const stepAlong = neighbour === "Row" ? "Column" : "Row";
    const isMapped = name === "a" && mapA;
    const sideBySide =
      across === 1 && isMultiple(4, size, along, outer, inner, offset) && !isMapped
        ? "neighbours"
        : along === 1 && isMultiple(2, k, across, outer, inner, offset)
          ? "steps"
          : null;
    return {
      binding: { name, info },
      sideBySide,
      at: (id, at) => `${name}At${id} + ${at} * u.${name}${stepAlong}`,
      ...(isMapped && { map: (element, id, at) => `mapA(${element}, ofRow${id}, row${id}, ${at})` }),
    };
  };
  const plain: Binding[] = [
    { name: "a", info: a.info },
    { name: "b", info: b.info },
  ];
  const base = (name: "a" | "b") =>
    `u.${name}Offset + (z / u.inner) * u.${name}Outer + (z % u.inner) * u.${name}Inner`;
  const registers: ProductLoop = {
    key: "",
    a: operand("a", "Row", m),
    b: operand("b", "Column", n),
    inputs,
    end: "u.k",
    isEven: k % 2 === 0,
    around: ({ rows, columns }, loop) => `let aBase = ${base("a")}; let bBase = ${base("b")};
  ${rows.map((id) => `let aAt${id} = aBase + row${id} * u.aRow;`).join(" ")}
  ${mapA ? rows.map((id) => `let ofRow${id} = ofRow(z, row${id});`).join(" ") : ""}
  ${columns.map((id) => `let bAt${id} = bBase + column${id} * u.bColumn;`).join(" ")}
  ${loop}`,
  };
  gemm(backend, {
    name: op.name,
    key: op.key ?? "",
    m,
    n,
    k,
    batch: batch[0] * batch[1],
    inputs: [...plain, ...inputs],
    output: { name: "c", info: c.info },
    outputVectors: c.column === 1 && isMultiple(4, n, c.row, c.outer, c.inner, c.offset ?? 0),
    uniforms: [
      u32("inner", batch[1]),
      ...[a, b, c].flatMap(({ outer, inner, row, column, offset = 0 }, i) => {
        const name = "abc"[i];
        return [
          u32(`${name}Outer`, outer),
          u32(`${name}Inner`, inner),
          u32(`${name}Row`, row),
          u32(`${name}Column`, column),
          u32(`${name}Offset`, offset),
        ];
      }),
      ...(op.uniforms ?? []),
    ],
    read: `
fn at(z: u32, outer: u32, inner: u32) -> u32 { return (z / u.inner) * outer + (z % u.inner) * inner; }
fn readA(z: u32, row: u32, k: u32) -> f32 {
  let element = load_a(u.aOffset + at(z, u.aOuter, u.aInner) + row * u.aRow + k * u.aColumn);
  return ${mapA ? "mapA(element, ofRow(z, row), row, k)" : "element"};
}
fn readB(z: u32, k: u32, column: u32) -> f32 {
  return load_b(u.bOffset + at(z, u.bOuter, u.bInner) + k * u.bRow + column * u.bColumn);
}`,
    offset:
      "u.cOffset + (z / u.inner) * u.cOuter + (z % u.inner) * u.cInner + row * u.cRow + column * u.cColumn",
    value: op.value,
    declarations: op.declarations,
    aRunsAlongK: a.column === 1,
    bRunsAlongK: b.row === 1,
    registers,
  });
}

export interface MatMul {
  a: TensorInfo;
  b: TensorInfo;
  transposeA?: boolean;
  transposeB?: boolean;
  /** Of a product of two float32 matrices. */
  epilogue?: Epilogue;
}

/**
 * Product of the last two axes, of which either operand's may be transposed; batch axes broadcast. Products of int32 are
 * computed in float32: exact while sums stay below 2^24.
 */
export function batchMatMul(backend: WebGPUBackend, op: MatMul): TensorInfo {
  const { a, b } = op;
  if (a.dtype === "float32" && b.dtype === "float32")
    return floatMatMul(backend, op, (shape) => backend.activation(shape));
  const floats = [cast(backend, a, "float32"), cast(backend, b, "float32")];
  const product = floatMatMul(backend, { ...op, a: floats[0], b: floats[1] }, (shape) =>
    backend.output(shape, "float32"),
  );
  const result = cast(backend, product, tf.upcastType(a.dtype, b.dtype));
  backend.disposeAll(...floats, product);
  return result;
}

function floatMatMul(
  backend: WebGPUBackend,
  op: MatMul,
  output: (shape: number[]) => TensorInfo,
): TensorInfo {
  const { a, b, transposeA = false, transposeB = false, epilogue = {} } = op;
  const [aRows, aColumns] = a.shape.slice(-2);
  const [bRows, bColumns] = b.shape.slice(-2);
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [kOfB, n] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  if (k !== kOfB) {
    throw new Error(
      `matMul: inner sizes must agree, got ${k} and ${kOfB} for shapes [${a.shape}] and [${b.shape}] ` +
        `with transposeA=${transposeA} and transposeB=${transposeB}`,
    );
  }
  const leadA = a.shape.slice(0, -2);
  const leadB = b.shape.slice(0, -2);
  const lead = tf.broadcast_util.assertAndGetBroadcastShape(leadA, leadB);
  const batch = tf.util.sizeFromShape(lead);
  const [batchA, batchB] = [leadA, leadB].map((shape) => tf.util.sizeFromShape(shape));
  if ((batchA !== batch && batchA !== 1) || (batchB !== batch && batchB !== 1)) {
    // Broadcast along some batch axes only, which one step between batches cannot describe.
    const whole = [a, b].map((info) => broadcastTo(backend, info, [...lead, ...info.shape.slice(-2)]));
    const product = floatMatMul(backend, { ...op, a: whole[0], b: whole[1] }, output);
    backend.disposeAll(...whole);
    return product;
  }
  const c = output([...lead, m, n]);
  const product = {
    ...epilogue,
    name: "BatchMatMul",
    a: {
      info: a,
      outer: 0,
      inner: batchA === 1 ? 0 : m * k,
      row: transposeA ? 1 : k,
      column: transposeA ? m : 1,
    },
    b: {
      info: b,
      outer: 0,
      inner: batchB === 1 ? 0 : n * k,
      row: transposeB ? 1 : n,
      column: transposeB ? k : 1,
    },
    c: { info: c, outer: 0, inner: m * n, row: n, column: 1 },
    batch: [1, batch] as const,
    m,
    n,
    k,
  };
  if (k > longestSum) longProduct(backend, product);
  else stridedProduct(backend, product);
  return c;
}

/** The longest k of a product whose terms are added one after another, and the length of the parts of a longer one. */
const longestSum = 2048;
const partLength = 512;

/** Bytes that the parts of a long product take at a time. */
const partBytes = 64 * 2 ** 20;

/**
 * A product over so many k that float32 would lose digits. It computes a product for each part of k but the last and sums them; the
 * epilogue of the last part's product adds that sum.
 */
function longProduct(backend: WebGPUBackend, op: StridedProduct): void {
  const { a, b, c, m, n, k, batch } = op;
  const elements = batch[1] * m * n;
  const partsAtOnce = Math.max(1, Math.floor(partBytes / Math.max(1, 4 * elements)));
  const lastStart = Math.floor((k - 1) / partLength) * partLength;
  const from = (view: MatrixView, step: number, start: number): MatrixView => ({
    ...view,
    outer: partLength * step,
    offset: (view.offset ?? 0) + start * step,
  });
  let rest: TensorInfo | null = null;
  for (let start = 0; start < lastStart; start += partsAtOnce * partLength) {
    const parts = Math.min(partsAtOnce, (lastStart - start) / partLength);
    const partial = backend.output([parts, elements], "float32");
    stridedProduct(backend, {
      name: op.name,
      a: from(a, a.column, start),
      b: from(b, b.row, start),
      c: { info: partial, outer: elements, inner: m * n, row: n, column: 1 },
      batch: [parts, batch[1]],
      m,
      n,
      k: partLength,
    });
    const sum = reduce(backend, partial, { name: "Sum", axes: [0] });
    backend.disposeAll(partial);
    if (rest === null) {
      rest = sum;
      continue;
    }
    const inputs = { a: rest, b: sum };
    const both = { name: "Add", inputs, shape: rest.shape, dtype: "float32", isStep: true } as const;
    const total = elementwise(backend, { ...both, expression: "a + b" });
    backend.disposeAll(rest, sum);
    rest = total;
  }
  stridedProduct(backend, {
    ...op,
    key: `rest/${op.key ?? ""}`,
    a: from(a, a.column, lastStart),
    b: from(b, b.row, lastStart),
    c: { ...c, outer: 0 },
    k: k - lastStart,
    inputs: [...(op.inputs ?? []), { name: "rest", info: rest! }],
    declarations: `${op.declarations ?? ""}
fn written(z: u32, row: u32, column: u32, value: f32, before: f32) -> f32 { return ${op.value ?? "value"}; }`,
    value: "written(z, row, column, value + load_rest(offsetOf(z, row, column)), before)",
  });
  backend.disposeAll(rest!);
}

const batchMatMulKernel: Kernel = ({ inputs: { a, b }, attrs, backend }) =>
  batchMatMul(backend, { a, b, transposeA: attrs.transposeA, transposeB: attrs.transposeB });

const matMulAndSum: Kernel = ({ inputs: { a, b, bias, residual }, attrs, backend }) => {
  const { transposeA, transposeB } = attrs;
  const epilogue = sumEpilogue([bias, residual], {
    rows: a.shape[transposeA ? 1 : 0],
    columns: b.shape[transposeB ? 0 : 1],
  });
  return batchMatMul(backend, { a, b, transposeA, transposeB, epilogue });
};

const fusedMatMul: Kernel = ({ inputs, attrs, backend }) => {
  const { a, b } = inputs;
  const { transposeA, transposeB } = attrs;
  const fused = fusedActivationOf(inputs, attrs);
  const isFloat = a.dtype === "float32" && b.dtype === "float32";
  const epilogue = isFloat ? activationEpilogue(fused, b.shape.at(transposeB ? -2 : -1)!) : undefined;
  const product = batchMatMul(backend, { a, b, transposeA, transposeB, epilogue });
  return epilogue ? product : applyFusedActivation(backend, product, fused);
};

export const matmulKernels: KernelTable = {
  BatchMatMul: batchMatMulKernel,
  BatchMatMulAndSum: matMulAndSum,
  _FusedMatMul: fusedMatMul,
};
