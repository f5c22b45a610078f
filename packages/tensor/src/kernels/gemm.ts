import { type Binding, type Uniform, u32 } from "../backend/launch.js";
import type { WebGPUBackend } from "../backend/webgpu-backend.js";

/**
 * A product of matrices, `C[z] = A[z] B[z]`, whose operands need not lie in memory as matrices: convolutions and their
 * gradients are this too, with pixels as rows (implicit GEMM). Two schedules compute it, one for each kind of adapter.
 */
export interface Gemm {
  name: string;
  /** What the WGSL below depends on besides the name. */
  key: string;
  /** Sizes of one product and how many there are. */
  m: number;
  n: number;
  k: number;
  batch: number;
  inputs: readonly Binding[];
  output: Binding;
  uniforms: readonly Uniform[];
  /**
   * WGSL of `readA(z, row, k) -> f32`, `readB(z, k, column) -> f32` and `writeC(z, row, column, value)`, with coordinates
   * in range.
   */
  access: string;
  /** Whether neighbours in k, rather than in the row (of A) or column (of B), lie side by side in memory. */
  aRunsAlongK: boolean;
  bRunsAlongK: boolean;
  /** A better inner loop for registers, where the operands allow one. */
  registers?: RegisterLoop;
}

/**
 * The loop over k of an 8 x 8 tile, in WGSL that sees `z`, `row0` and `column0`, and runs `step` with the scalars `a0` to `a7`
 * and the vectors `b0` and `b1` (columns 0 to 3 and 4 to 7) in scope. Rows and columns beyond the edge may hold anything.
 */
export interface RegisterLoop {
  key: string;
  inputs: readonly Binding[];
  loop: (step: string) => string;
}

export function gemm(backend: WebGPUBackend, op: Gemm): void {
  if (op.m === 0 || op.n === 0 || op.batch === 0) return;
  if (backend.isSoftware) registerTiles(backend, op);
  else workgroupTiles(backend, op);
}

const eight = [0, 1, 2, 3, 4, 5, 6, 7];

/**
 * For CPU adapters: each invocation keeps an 8 x 8 tile of C in registers and reads A and B straight from memory. There,
 * workgroup memory is ordinary memory and a barrier is a loop over invocations, so the usual tiling costs four times as much.
 * A workgroup is 4 x 2 tiles: the eight lanes of one AVX register.
 */
function registerTiles(backend: WebGPUBackend, op: Gemm): void {
  const { m, n, k, batch, registers } = op;
  const plainLoop = (step: string) => `for (var k = 0u; k < u.k; k++) {
    ${eight.map((i) => `let a${i} = readA(z, min(row0 + ${i}u, u.m - 1u), k);`).join("\n    ")}
    let b0 = vec4<f32>(${[0, 1, 2, 3].map((j) => `readB(z, k, min(column0 + ${j}u, u.n - 1u))`).join(", ")});
    let b1 = vec4<f32>(${[4, 5, 6, 7].map((j) => `readB(z, k, min(column0 + ${j}u, u.n - 1u))`).join(", ")});
    ${step}
  }`;
  backend.launch({
    name: op.name,
    key: `registers/${op.key}/${registers?.key ?? "plain"}`,
    inputs: registers?.inputs ?? op.inputs,
    outputs: [op.output],
    uniforms: [u32("m", m), u32("n", n), u32("k", k), ...op.uniforms],
    workgroups: [Math.ceil(n / 32), Math.ceil(m / 16), batch],
    workgroupSize: [4, 2, 1],
    declarations: () => `${registers ? op.access.slice(op.access.indexOf("fn writeC")) : op.access}
fn storeRow(z: u32, row: u32, column: u32, low: vec4<f32>, high: vec4<f32>) {
  for (var j = 0u; j < min(8u, u.n - column); j++) {
    writeC(z, row, column + j, select(low[j % 4u], high[j % 4u], j > 3u));
  }
}`,
    body: () => `let z = group.z;
  let row0 = (group.y * 2u + local.y) * 8u;
  let column0 = (group.x * 4u + local.x) * 8u;
  if (row0 >= u.m || column0 >= u.n) { return; }
  ${eight.map((i) => `var c${i}0 = vec4<f32>(0.0); var c${i}1 = vec4<f32>(0.0);`).join("\n  ")}
  ${(registers?.loop ?? plainLoop)(
    eight
      .map((i) => `c${i}0 = fma(vec4<f32>(a${i}), b0, c${i}0); c${i}1 = fma(vec4<f32>(a${i}), b1, c${i}1);`)
      .join("\n    "),
  )}
  ${eight.map((i) => `if (row0 + ${i}u < u.m) { storeRow(z, row0 + ${i}u, column0, c${i}0, c${i}1); }`).join("\n  ")}`,
  });
}

/** Rows and columns of C that a workgroup computes, and the steps of k that it stages at a time. */
const tile = 64;
const depth = 16;

/**
 * For GPUs: 16 x 16 invocations compute a 64 x 64 tile of C, 4 x 4 each, from slices of A and B staged in workgroup memory,
 * so that every value read from memory serves 64 products.
 */
function workgroupTiles(backend: WebGPUBackend, op: Gemm): void {
  const { m, n, k, batch } = op;
  // Neighbouring invocations read neighbouring addresses.
  const place = (alongK: boolean) =>
    alongK
      ? `let inK = e % ${depth}u; let across = e / ${depth}u;`
      : `let across = e % ${tile}u; let inK = e / ${tile}u;`;
  backend.launch({
    name: op.name,
    key: `workgroup/${op.key}/${op.aRunsAlongK}${op.bRunsAlongK}`,
    inputs: op.inputs,
    outputs: [op.output],
    uniforms: [u32("m", m), u32("n", n), u32("k", k), ...op.uniforms],
    workgroups: [Math.ceil(n / tile), Math.ceil(m / tile), batch],
    workgroupSize: [16, 16, 1],
    declarations: () => `${op.access}
var<workgroup> aTile: array<f32, ${tile * depth}>;
var<workgroup> bTile: array<f32, ${tile * depth}>;`,
    body: () => `let z = group.z;
  let firstRow = group.y * ${tile}u;
  let firstColumn = group.x * ${tile}u;
  var c: array<vec4<f32>, 4>;
  for (var start = 0u; start < u.k; start += ${depth}u) {
    for (var e = localIndex; e < ${tile * depth}u; e += 256u) {
      ${place(op.aRunsAlongK)}
      let row = firstRow + across;
      var value = 0.0;
      if (row < u.m && start + inK < u.k) { value = readA(z, row, start + inK); }
      aTile[inK * ${tile}u + across] = value;
    }
    for (var e = localIndex; e < ${tile * depth}u; e += 256u) {
      ${place(op.bRunsAlongK)}
      let column = firstColumn + across;
      var value = 0.0;
      if (column < u.n && start + inK < u.k) { value = readB(z, start + inK, column); }
      bTile[inK * ${tile}u + across] = value;
    }
    workgroupBarrier();
    for (var inK = 0u; inK < ${depth}u; inK++) {
      // Columns 16 apart, so that the invocations of a row read side by side.
      let at = inK * ${tile}u;
      let b = vec4<f32>(bTile[at + local.x], bTile[at + local.x + 16u], bTile[at + local.x + 32u], bTile[at + local.x + 48u]);
      for (var i = 0u; i < 4u; i++) {
        c[i] = fma(vec4<f32>(aTile[at + local.y * 4u + i]), b, c[i]);
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = firstRow + local.y * 4u + i;
    for (var j = 0u; j < 4u; j++) {
      let column = firstColumn + local.x + j * 16u;
      if (row < u.m && column < u.n) { writeC(z, row, column, c[i][j]); }
    }
  }`,
  });
}
