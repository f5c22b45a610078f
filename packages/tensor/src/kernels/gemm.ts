import { type Binding, type Uniform, u32 } from "../backend/launch.js";
import type { WebGPUBackend } from "../backend/webgpu-backend.js";

/**
 * A product of matrices, `C[z] = A[z] B[z]`, whose operands need not lie in memory as matrices: convolutions and their
 * gradients are this too, with pixels as rows (implicit GEMM). Three schedules compute it; the adapter decides which.
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
  /** Type left to the schedule. */
  output: Binding;
  /** Whether four neighbouring columns of C, from a multiple of four on, lie in one vec4 of memory. */
  outputVectors: boolean;
  uniforms: readonly Uniform[];
  /** For workgroup tiles: WGSL of `readA(z, row, k) -> f32` and `readB(z, k, column) -> f32`, with coordinates in range. */
  read: string;
  /** WGSL expression of the element of the output where C's `row` and `column` of product `z` lie. */
  place: string;
  /** WGSL expression of what is written there, from `value` and from what lies there, the output's element `here`. Default `value`. */
  value?: string;
  /** WGSL at module scope, for the expressions here. */
  declarations?: string;
  /** Whether neighbours in k, rather than in the row (of A) or column (of B), lie side by side in memory. */
  aRunsAlongK: boolean;
  bRunsAlongK: boolean;
  registers: RegisterLoop;
}

/** What a schedule wants of the loop over k: which rows of A an invocation reads, and which columns of B. */
export interface LoopParts {
  /** Suffixes s of rows: the variable `row<s>` is in range; the loop gives `a<s>: f32`. */
  rows: readonly string[];
  /** Suffixes s of vectors of columns: `column<s>` to `column<s> + 3`; the loop gives `b<s>: vec4<f32>`. */
  columns: readonly string[];
  /** To be run once for each k, with all of those in scope. */
  step: string;
}

/**
 * The loop over k for tiles held in registers, in WGSL that also sees `z`. A column beyond the edge may give anything, but must
 * not read out of range; no control flow may depend on the row or column, since lanes exchange values in `step`.
 */
export interface RegisterLoop {
  key: string;
  inputs: readonly Binding[];
  loop: (parts: LoopParts) => string;
}

/**
 * WGSL of four elements of B as a vec4, `at` being the element for column 0: one load where `n` and every row start on a
 * vector, else one for each column.
 */
export const loadColumns = (name: string, at: string, column: string, vectors: boolean): string =>
  vectors
    ? `${name}[(${at} + min(${column}, u.n - 4u)) / 4u]`
    : `vec4<f32>(${[0, 1, 2, 3].map((j) => `${name}[${at} + min(${column} + ${j}u, u.n - 1u)]`).join(", ")})`;

export function gemm(backend: WebGPUBackend, op: Gemm): void {
  if (op.m === 0 || op.n === 0 || op.batch === 0) return;
  if (!backend.isSoftware) workgroupTiles(backend, op);
  else if (backend.lanes) laneTiles(backend, op, backend.lanes);
  else registerTiles(backend, op);
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** WGSL of `store(z, row, column, values)`, which writes what of four columns lies inside C. */
function storeDeclaration(op: Gemm): string {
  const { output, outputVectors, place, value = "value" } = op;
  return outputVectors
    ? `${op.declarations ?? ""}
fn store(z: u32, row: u32, column: u32, value: vec4<f32>) {
  if (row < u.m && column < u.n) {
    let here = (${place}) / 4u;
    ${output.name}[here] = ${value};
  }
}`
    : `${op.declarations ?? ""}
${storeOneDeclaration(op)}
fn store(z: u32, row: u32, column: u32, values: vec4<f32>) {
  if (row >= u.m) { return; }
  for (var j = 0u; j < 4u; j++) {
    if (column + j < u.n) { storeOne(z, row, column + j, values[j]); }
  }
}`;
}

const storeOneDeclaration = ({ output, place, value = "value" }: Gemm) => `
fn storeOne(z: u32, row: u32, column: u32, value: f32) {
  let here = ${place};
  ${output.name}[here] = ${value};
}`;

/** The bindings of a schedule that keeps its tile in registers. */
const softwareBindings = ({ registers, output, outputVectors }: Gemm) => ({
  inputs: registers.inputs,
  outputs: [{ ...output, type: outputVectors ? "vec4<f32>" : "f32" }],
});

/** Rows of a tile in the lanes schedule. */
const laneRows = 16;

/**
 * For CPU adapters with subgroups, whose lanes are those of a vector register: a workgroup is one subgroup and holds a tile of
 * 16 rows, each lane with 4 or 8 columns of its own. A lane reads A for its share of the rows only, and lanes pass those
 * values around, so that a step of k costs few loads, which are what is slow there: each is bounds-checked and gathered.
 */
function laneTiles(backend: WebGPUBackend, op: Gemm, lanes: number): void {
  const { m, n, k, batch, registers } = op;
  const vectors = n <= 4 * lanes ? 1 : 2;
  const rows = range(laneRows / lanes).map(String);
  const columns = range(vectors).map(String);
  const width = 4 * lanes * vectors;
  const step = range(laneRows)
    .map((i) => {
      const shared = `let shared${i} = vec4<f32>(subgroupShuffle(a${Math.floor(i / lanes)}, ${i % lanes}u));`;
      return `${shared} ${columns.map((c) => `c${i}_${c} = fma(shared${i}, b${c}, c${i}_${c});`).join(" ")}`;
    })
    .join("\n    ");
  backend.launch({
    name: op.name,
    key: `lanes${lanes}/${vectors}/${op.outputVectors}/${op.key}/${registers.key}`,
    subgroups: true,
    ...softwareBindings(op),
    uniforms: [u32("m", m), u32("n", n), u32("k", k), ...op.uniforms],
    workgroups: [Math.ceil(n / width), Math.ceil(m / laneRows), batch],
    workgroupSize: [lanes, 1, 1],
    declarations: () => storeDeclaration(op),
    body: () => `let z = group.z;
  let firstRow = group.y * ${laneRows}u;
  let firstColumn = group.x * ${width}u;
  ${rows.map((s, i) => `let row${s} = min(firstRow + ${i * lanes}u + lane, u.m - 1u);`).join(" ")}
  ${columns.map((s, i) => `let column${s} = firstColumn + ${i * 4 * lanes}u + 4u * lane;`).join(" ")}
  ${range(laneRows)
    .map((i) => columns.map((c) => `var c${i}_${c} = vec4<f32>(0.0);`).join(" "))
    .join("\n  ")}
  ${registers.loop({ rows, columns, step })}
  ${range(laneRows)
    .map((i) => columns.map((c) => `store(z, firstRow + ${i}u, column${c}, c${i}_${c});`).join(" "))
    .join("\n  ")}`,
  });
}

/** Tiles of 8 x 8 in the registers schedule; a workgroup is 4 x 2 of them. */
const registerTile = 8;

/**
 * For CPU adapters without usable subgroups: each invocation keeps an 8 x 8 tile of C in registers and reads A and B straight
 * from memory. Workgroup memory is ordinary memory there and a barrier is a loop over invocations, so the tiling that suits
 * a GPU costs several times as much.
 */
function registerTiles(backend: WebGPUBackend, op: Gemm): void {
  const { m, n, k, batch, registers } = op;
  const rows = range(registerTile).map(String);
  const columns = ["0", "1"];
  const step = rows
    .map((i) => columns.map((c) => `c${i}_${c} = fma(vec4<f32>(a${i}), b${c}, c${i}_${c});`).join(" "))
    .join("\n    ");
  backend.launch({
    name: op.name,
    key: `registers/${op.outputVectors}/${op.key}/${registers.key}`,
    ...softwareBindings(op),
    uniforms: [u32("m", m), u32("n", n), u32("k", k), ...op.uniforms],
    workgroups: [Math.ceil(n / (4 * registerTile)), Math.ceil(m / (2 * registerTile)), batch],
    workgroupSize: [4, 2, 1],
    declarations: () => storeDeclaration(op),
    body: () => `let z = group.z;
  let firstRow = (group.y * 2u + local.y) * ${registerTile}u;
  let firstColumn = (group.x * 4u + local.x) * ${registerTile}u;
  ${rows.map((i) => `let row${i} = min(firstRow + ${i}u, u.m - 1u);`).join(" ")}
  let column0 = firstColumn; let column1 = firstColumn + 4u;
  ${rows.map((i) => `var c${i}_0 = vec4<f32>(0.0); var c${i}_1 = vec4<f32>(0.0);`).join("\n  ")}
  ${registers.loop({ rows, columns, step })}
  ${rows.map((i) => `store(z, firstRow + ${i}u, column0, c${i}_0); store(z, firstRow + ${i}u, column1, c${i}_1);`).join("\n  ")}`,
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
  const staging = (alongK: boolean) =>
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
    declarations: () => `${op.declarations ?? ""}
${op.read}
${storeOneDeclaration(op)}
var<workgroup> aTile: array<f32, ${tile * depth}>;
var<workgroup> bTile: array<f32, ${tile * depth}>;`,
    body: () => `let z = group.z;
  let firstRow = group.y * ${tile}u;
  let firstColumn = group.x * ${tile}u;
  var sums: array<vec4<f32>, 4>;
  for (var start = 0u; start < u.k; start += ${depth}u) {
    for (var e = localIndex; e < ${tile * depth}u; e += 256u) {
      ${staging(op.aRunsAlongK)}
      let row = firstRow + across;
      var value = 0.0;
      if (row < u.m && start + inK < u.k) { value = readA(z, row, start + inK); }
      aTile[inK * ${tile}u + across] = value;
    }
    for (var e = localIndex; e < ${tile * depth}u; e += 256u) {
      ${staging(op.bRunsAlongK)}
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
        sums[i] = fma(vec4<f32>(aTile[at + local.y * 4u + i]), b, sums[i]);
      }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let row = firstRow + local.y * 4u + i;
    for (var j = 0u; j < 4u; j++) {
      let column = firstColumn + local.x + j * 16u;
      if (row < u.m && column < u.n) { storeOne(z, row, column, sums[i][j]); }
    }
  }`,
  });
}
