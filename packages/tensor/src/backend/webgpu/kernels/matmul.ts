import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { productType } from "../../product-type.js";
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

/** Product of the last two axes, of which either operand's may be transposed; batch axes broadcast. Integers stay exact modulo 2^32. */
export function batchMatMul(backend: WebGPUBackend, op: MatMul): TensorInfo {
  const { a, b, transposeA, transposeB } = op;
  const sizes = { a: sizesOf(a, transposeA), b: sizesOf(b, transposeB) };
  if (sizes.a.columns !== sizes.b.rows) {
    throw new Error(
      `matMul: inner sizes must agree, got ${sizes.a.columns} and ${sizes.b.rows} for shapes [${a.shape}] and [${b.shape}] ` +
        `with transposeA=${transposeA} and transposeB=${transposeB}`,
    );
  }
  const product = { ...op, m: sizes.a.rows, k: sizes.a.columns, n: sizes.b.columns };
  if (a.dtype === "float32" && b.dtype === "float32") return floatProduct(backend, product);
  const dtype = productType(a, b);
  const [x, y] = [cast(backend, a, dtype), cast(backend, b, dtype)];
  const result = (dtype === "float32" ? floatProduct : wholeProduct)(backend, { ...product, a: x, b: y });
  backend.disposeAll(x, y);
  return result;
}

/** Rows and columns of the matrices in a tensor. */
function sizesOf({ shape }: TensorInfo, isTransposed = false): { rows: number; columns: number } {
  const [rows, columns] = shape.slice(-2);
  return isTransposed ? { rows: columns, columns: rows } : { rows, columns };
}

interface SizedProduct extends MatMul {
  m: number;
  n: number;
  k: number;
}

/** A matrix product of int32 with sums of int32, which float32 would round above 2^24. An invocation computes an element. */
function wholeProduct(backend: WebGPUBackend, op: SizedProduct): TensorInfo {
  const { a, b, transposeA = false, transposeB = false, m, n, k } = op;
  const leads = [a, b].map(({ shape }) => shape.slice(0, -2));
  const lead = tf.broadcast_util.assertAndGetBroadcastShape(leads[0], leads[1]);
  const whole = [a, b].map((info) => broadcastTo(backend, info, [...lead, ...info.shape.slice(-2)]));
  const output = backend.output([...lead, m, n], "int32");
  backend.launch({
    name: "WholeProduct",
    key: "",
    inputs: [
      { name: "a", info: whole[0] },
      { name: "b", info: whole[1] },
    ],
    outputs: [{ name: "result", info: output }],
    count: tf.util.sizeFromShape(output.shape),
    uniforms: [
      ...[u32("m", m), u32("n", n), u32("k", k)],
      ...[u32("aRow", transposeA ? 1 : k), u32("aColumn", transposeA ? m : 1)],
      ...[u32("bRow", transposeB ? 1 : n), u32("bColumn", transposeB ? k : 1)],
    ],
    body: () => `let column = index % u.n;
  let row = index / u.n % u.m;
  let batch = index / (u.n * u.m);
  var sum = 0;
  for (var j = 0u; j < u.k; j++) {
    sum += load_a(batch * u.m * u.k + row * u.aRow + j * u.aColumn) * load_b(batch * u.k * u.n + j * u.bRow + column * u.bColumn);
  }
  store_result(index, sum);`,
  });
  backend.disposeAll(...whole);
  return output;
}

function floatProduct(backend: WebGPUBackend, op: SizedProduct): TensorInfo {
  const { a, b, transposeA = false, transposeB = false, epilogue = {}, m, n, k } = op;
  const leadA = a.shape.slice(0, -2);
  const leadB = b.shape.slice(0, -2);
  const lead = tf.broadcast_util.assertAndGetBroadcastShape(leadA, leadB);
  const batch = tf.util.sizeFromShape(lead);
  const [batchA, batchB] = [leadA, leadB].map((shape) => tf.util.sizeFromShape(shape));
  if ((batchA !== batch && batchA !== 1) || (batchB !== batch && batchB !== 1)) {
    // Broadcast along some batch axes only, which one step between batches cannot describe.
    const whole = [a, b].map((info) => broadcastTo(backend, info, [...lead, ...info.shape.slice(-2)]));
    const product = floatProduct(backend, { ...op, a: whole[0], b: whole[1] });
    backend.disposeAll(...whole);
    return product;
  }
  const c = backend.activation([...lead, m, n]);
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
