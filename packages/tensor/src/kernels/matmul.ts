import type { TensorInfo } from "@tensorflow/tfjs-core";
import * as tf from "@tensorflow/tfjs-core";
import { type Binding, type Uniform, u32 } from "../backend/launch.js";
import type { WebGPUBackend } from "../backend/webgpu-backend.js";
import { finish } from "./finish.js";
import { gemm, type RegisterLoop } from "./gemm.js";
import type { Kernel, KernelTable } from "./kernel.js";
import { broadcastTo } from "./moves.js";
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
  /** What the WGSL of the parts below depends on besides the name. */
  key?: string;
  a: MatrixView;
  b: MatrixView;
  c: MatrixView;
  /** How many outer and inner batches. */
  batch: readonly [number, number];
  m: number;
  n: number;
  k: number;
  /** What is written, as `Gemm.value` says. Default `value`. */
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

const isVectors = (...steps: number[]) => steps.every((step) => step % 4 === 0);
const four = [0, 1, 2, 3];

/** `C = A B` over batches, from and to any strides. */
export function stridedProduct(backend: WebGPUBackend, op: StridedProduct): void {
  const { a, b, c, m, n, k, batch, mapA = false, inputs = [] } = op;
  const startsOnVectors = ({ row, outer, inner, column, offset = 0 }: MatrixView) =>
    column === 1 && isVectors(n, row, outer, inner, offset);
  const bVectors = startsOnVectors(b);
  const plain: Binding[] = [
    { name: "a", info: a.info },
    { name: "b", info: b.info },
  ];
  const registers: RegisterLoop = {
    key: bVectors ? "vectors" : "elements",
    inputs: [plain[0], { ...plain[1], type: bVectors ? "vec4<f32>" : "f32" }, ...inputs],
    loop: ({
      rows,
      columns,
      step,
    }) => `let aBase = u.aOffset + (z / u.inner) * u.aOuter + (z % u.inner) * u.aInner;
  let bBase = u.bOffset + (z / u.inner) * u.bOuter + (z % u.inner) * u.bInner;
  ${rows.map((s) => `let aAt${s} = aBase + row${s} * u.aRow;`).join(" ")}
  ${mapA ? rows.map((s) => `let ofRow${s} = ofRow(z, row${s});`).join(" ") : ""}
  ${columns
    .map((s) =>
      bVectors
        ? `let bAt${s} = (bBase + min(column${s}, u.n - 4u)) / 4u;`
        : four
            .map((j) => `let bAt${s}_${j} = bBase + min(column${s} + ${j}u, u.n - 1u) * u.bColumn;`)
            .join(" "),
    )
    .join("\n  ")}
  for (var k = 0u; k < u.k; k++) {
    let aStep = k * u.aColumn;
    let bStep = k * ${bVectors ? "(u.bRow / 4u)" : "u.bRow"};
    ${rows
      .map((s) => {
        const element = `a[aAt${s} + aStep]`;
        return `let a${s} = ${mapA ? `mapA(${element}, ofRow${s}, row${s}, k)` : element};`;
      })
      .join(" ")}
    ${columns
      .map((s) =>
        bVectors
          ? `let b${s} = b[bAt${s} + bStep];`
          : `let b${s} = vec4<f32>(${four.map((j) => `b[bAt${s}_${j} + bStep]`).join(", ")});`,
      )
      .join(" ")}
    ${step}
  }`,
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
    outputVectors: startsOnVectors(c),
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
  let element = a[u.aOffset + at(z, u.aOuter, u.aInner) + row * u.aRow + k * u.aColumn];
  return ${mapA ? "mapA(element, ofRow(z, row), row, k)" : "element"};
}
fn readB(z: u32, k: u32, column: u32) -> f32 {
  return b[u.bOffset + at(z, u.bOuter, u.bInner) + k * u.bRow + column * u.bColumn];
}`,
    place:
      "u.cOffset + (z / u.inner) * u.cOuter + (z % u.inner) * u.cInner + row * u.cRow + column * u.cColumn",
    value: op.value,
    declarations: op.declarations,
    aRunsAlongK: a.column === 1,
    bRunsAlongK: b.row === 1,
    registers,
  });
}

/**
 * Product of the last two axes, of which either operand's may be transposed; batch axes broadcast. Products of int32 are
 * computed in float32: exact while sums stay below 2^24.
 */
export function batchMatMul(
  backend: WebGPUBackend,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): TensorInfo {
  if (a.dtype === "float32" && b.dtype === "float32")
    return floatMatMul(backend, a, b, transposeA, transposeB, (shape) => backend.activation(shape));
  const floats = [cast(backend, a, "float32"), cast(backend, b, "float32")];
  const product = floatMatMul(backend, floats[0], floats[1], transposeA, transposeB, (shape) =>
    backend.output(shape, "float32"),
  );
  const result = cast(backend, product, tf.upcastType(a.dtype, b.dtype));
  backend.disposeAll(...floats, product);
  return result;
}

function floatMatMul(
  backend: WebGPUBackend,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  output: (shape: number[]) => TensorInfo,
): TensorInfo {
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
    const product = floatMatMul(backend, whole[0], whole[1], transposeA, transposeB, output);
    backend.disposeAll(...whole);
    return product;
  }
  const c = output([...lead, m, n]);
  stridedProduct(backend, {
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
    batch: [1, batch],
    m,
    n,
    k,
  });
  return c;
}

const batchMatMulKernel: Kernel = ({ inputs: { a, b }, attrs, backend }) =>
  batchMatMul(backend, a, b, attrs.transposeA, attrs.transposeB);

const fusedMatMul: Kernel = ({ inputs: { a, b, bias, preluActivationWeights }, attrs, backend }) => {
  const product = batchMatMul(backend, a, b, attrs.transposeA, attrs.transposeB);
  return finish(backend, product, bias, attrs.activation, preluActivationWeights, attrs.leakyreluAlpha);
};

export const matmulKernels: KernelTable = {
  BatchMatMul: batchMatMulKernel,
  _FusedMatMul: fusedMatMul,
};
