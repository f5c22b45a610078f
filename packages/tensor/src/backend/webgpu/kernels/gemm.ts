import { type Binding, type Uniform, u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";
import {
  columnWidth,
  loopInputs,
  loopKey,
  loopText,
  type Operand,
  type ProductLoop,
  range,
  readWidth,
  type Tile,
} from "./product-loop.js";

/**
 * A product of matrices, `C[z] = A[z] B[z]`, whose operands need not lie in memory as matrices: convolutions and their
 * gradients are this too, with pixels as rows (implicit GEMM). Three schedules compute it; the adapter decides which.
 */
export interface Gemm {
  name: string;
  /** Everything that the WGSL below depends on besides the name. */
  key: string;
  /** Sizes of one product and how many there are. */
  m: number;
  n: number;
  k: number;
  batch: number;
  inputs: readonly Binding[];
  /** The schedule chooses its type. */
  output: Binding;
  /** Whether four neighbouring columns of C, from a multiple of four on, lie in one vec4 of memory. */
  outputVectors: boolean;
  uniforms: readonly Uniform[];
  /** For workgroup tiles: WGSL of `readA(z, row, k) -> f32` and `readB(z, k, column) -> f32`, with coordinates in range. */
  read: string;
  /** WGSL expression of the offset in the output of the element in `row` and `column` of product `z`. */
  offset: string;
  /** The epilogue: WGSL expression of what is written, from `value`, what is there (`before`), `z`, `row` and `column`. Default `value`. */
  value?: string;
  /** For operands that are 0 where nothing is: 0 times infinity would be NaN. */
  padding?: Padding;
  /** WGSL at module scope, for the expressions here. */
  declarations?: string;
  /** Whether neighbours in k, rather than in the row (of A) or column (of B), lie side by side in memory. */
  aRunsAlongK: boolean;
  bRunsAlongK: boolean;
  registers: ProductLoop;
}

/** How a sum is computed without the products of padding, where it came out as infinity or NaN. */
export interface Padding {
  /** WGSL of a function's body that tells from `row` whether some of its products are of padding. */
  touches: string;
  /** WGSL of a function's body that returns the sum in `z`, `row` and `column`, given how elements of A and B are read. */
  sum: (readA: (offset: string) => string, readB: (offset: string) => string) => string;
}

export function gemm(backend: WebGPUBackend, op: Gemm): void {
  if (op.m === 0 || op.n === 0 || op.batch === 0) return;
  if (!backend.isSoftware) workgroupTiles(backend, op);
  else if (backend.subgroupSize) subgroupTiles(backend, op, backend.subgroupSize);
  else registerTiles(backend, op);
}

/** WGSL of `touchesPadding(row)` and `sumWithoutPadding(z, row, column)`, and of what calls them. `tile` is that of registers. */
function paddingDeclaration({ padding, registers: { a, b } }: Gemm, tile?: Tile): string {
  if (!padding) return "";
  const reader = (operand: Operand, width: number) => (offset: string) =>
    width === 1
      ? `load_${operand.binding.name}(${offset})`
      : `load_${operand.binding.name}((${offset}) / ${width}u)[(${offset}) % ${width}u]`;
  const [widthA, widthB] = tile
    ? [readWidth(a, tile, tile.rowWidth), readWidth(b, tile, columnWidth)]
    : [1, 1];
  return `
fn touchesPadding(row: u32) -> bool {
  ${padding.touches}
}
fn sumWithoutPadding(z: u32, row: u32, column: u32) -> f32 {
  ${padding.sum(reader(a, widthA), reader(b, widthB))}
}
fn areFinite(values: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(values) & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
}
fn totals(z: u32, row: u32, column: u32, sums: vec4<f32>) -> vec4<f32> {
  let finite = areFinite(sums);
  if (all(finite) || row >= u.m || column >= u.n || !touchesPadding(row)) { return sums; }
  var values = sums;
  for (var j = 0u; j < min(4u, u.n - column); j++) {
    if (!finite[j]) { values[j] = sumWithoutPadding(z, row, column + j); }
  }
  return values;
}`;
}

/** WGSL of `store(z, row, column, values)`, which writes what of four columns lies inside C. */
function storeDeclaration(op: Gemm, tile: Tile): string {
  const { output, outputVectors } = op;
  const { name } = output;
  const written = range(columnWidth).map(
    (j) => `epilogue(z, row, column + ${j}u, values[${j}], load_${name}(at)[${j}])`,
  );
  const head = `${paddingDeclaration(op, tile)}
fn store(z: u32, row: u32, column: u32, sums: vec4<f32>) {
  let values = ${op.padding ? "totals(z, row, column, sums)" : "sums"};`;
  return outputVectors
    ? `${epilogueDeclaration(op)}${head}
  if (row < u.m && column < u.n) {
    let at = offsetOf(z, row, column) / 4u;
    store_${name}(at, ${op.value ? `vec4<f32>(${written.join(", ")})` : "values"});
  }
}`
    : `${storeOneDeclaration(op)}${head}
  if (row >= u.m) { return; }
  for (var j = 0u; j < 4u; j++) {
    if (column + j < u.n) { storeOne(z, row, column + j, values[j]); }
  }
}`;
}

const epilogueDeclaration = ({ declarations = "", offset, value = "value" }: Gemm) => `${declarations}
fn offsetOf(z: u32, row: u32, column: u32) -> u32 { return ${offset}; }
fn epilogue(z: u32, row: u32, column: u32, value: f32, before: f32) -> f32 { return ${value}; }`;

const storeOneDeclaration = (op: Gemm) => `${epilogueDeclaration(op)}
fn storeOne(z: u32, row: u32, column: u32, value: f32) {
  let at = offsetOf(z, row, column);
  store_${op.output.name}(at, ${op.value ? `epilogue(z, row, column, value, load_${op.output.name}(at))` : "value"});
}`;

/** The common fields of launches that keep a tile in registers. */
const registerLaunch = (op: Gemm, tile: Tile) => ({
  name: op.name,
  key: `${op.outputVectors}/${op.key}/${loopKey(op.registers, tile)}`,
  inputs: loopInputs(op.registers, tile),
  outputs: [{ ...op.output, type: op.outputVectors ? "vec4<f32>" : "f32" }],
});

/**
 * For CPU adapters with subgroups, whose invocations are the lanes of a vector register: a workgroup is one subgroup and computes up to
 * 4 rows and 4 or 8 columns of C for each of its invocations. An invocation reads A for its own rows only and the subgroup passes
 * those values around, so that a step of k costs few loads. Loads are expensive here: each lane is bounds-checked by itself, which
 * takes seven to twelve instructions for an element.
 *
 * llvmpipe runs a loop under a mask of its lanes and, where there are more sums than registers, keeps the sums in memory: every
 * iteration loads, blends and stores each of them. Two steps of k an iteration halve that cost; four, or 64 rows, were slower. The
 * sums are an array because a loop then stores them: written out one by one, the stores take longer to compile than all the rest.
 */
function subgroupTiles(backend: WebGPUBackend, op: Gemm, subgroupSize: number): void {
  const { m, n, k, batch } = op;
  const rowWidth = m <= 2 * subgroupSize ? 2 : 4;
  const columns = range(n <= columnWidth * subgroupSize ? 1 : 2).map(String);
  const tile: Tile = { rows: ["0"], rowWidth, columns, steps: 2 };
  const height = rowWidth * subgroupSize;
  const width = columnWidth * subgroupSize * columns.length;
  const steps = range(tile.steps);
  const sum = (row: number, column: number) => `sums[${row * columns.length + column}]`;
  const step = range(height)
    .map((row) => {
      const [owner, j] = [Math.floor(row / rowWidth), row % rowWidth];
      const shared = steps.map(
        (i) => `let row${row}_at${i} = vec4<f32>(subgroupShuffle(a0_${i}[${j}], ${owner}u));`,
      );
      const products = columns.map((s, column) => {
        const total = sum(row, column);
        return `${total} = ${steps.reduce((inner, i) => `fma(row${row}_at${i}, b${s}_${i}, ${inner})`, total)};`;
      });
      return [...shared, ...products].join(" ");
    })
    .join("\n    ");
  backend.launch({
    ...registerLaunch(op, tile),
    subgroups: true,
    // If the height were a literal, adapters would unroll the loop that stores.
    uniforms: [u32("m", m), u32("n", n), u32("k", k), u32("height", height), ...op.uniforms],
    workgroups: [Math.ceil(n / width), Math.ceil(m / height), batch],
    workgroupSize: [subgroupSize, 1, 1],
    declarations: () => storeDeclaration(op, tile),
    body: () => `let z = group.z;
  let firstRow = group.y * ${height}u;
  let row0 = firstRow + ${rowWidth}u * subgroupInvocation;
  ${columns.map((s, i) => `let column${s} = group.x * ${width}u + ${i * columnWidth * subgroupSize}u + ${columnWidth}u * subgroupInvocation;`).join(" ")}
  var sums: array<vec4<f32>, ${height * columns.length}>;
  ${loopText(op.registers, tile, step)}
  for (var i = 0u; i < min(u.height, u.m - firstRow); i++) {
    ${columns.map((s, i) => `store(z, firstRow + i, column${s}, sums[i * ${columns.length}u + ${i}u]);`).join(" ")}
  }`,
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
  const { m, n, k, batch } = op;
  const tile: Tile = { rows: ["0", "1"], rowWidth: 4, columns: ["0", "1"], steps: 1 };
  const rows = range(registerTile);
  const each = (of: (row: number, s: string) => string) =>
    rows.map((row) => tile.columns.map((s) => of(row, s)).join(" ")).join("\n  ");
  const step = each(
    (i, s) => `c${i}_${s} = fma(vec4<f32>(a${Math.floor(i / 4)}_0[${i % 4}]), b${s}_0, c${i}_${s});`,
  );
  backend.launch({
    ...registerLaunch(op, tile),
    // As above, a literal would unroll the loop that stores.
    uniforms: [u32("m", m), u32("n", n), u32("k", k), u32("height", registerTile), ...op.uniforms],
    workgroups: [Math.ceil(n / (4 * registerTile)), Math.ceil(m / (2 * registerTile)), batch],
    workgroupSize: [4, 2, 1],
    declarations: () => storeDeclaration(op, tile),
    body: () => `let z = group.z;
  let row0 = (group.y * 2u + local.y) * ${registerTile}u;
  let column0 = (group.x * 4u + local.x) * ${registerTile}u;
  let row1 = row0 + 4u; let column1 = column0 + 4u;
  ${each((i, s) => `var c${i}_${s} = vec4<f32>(0.0);`)}
  ${loopText(op.registers, tile, step)}
  var sums = array<vec4<f32>, ${2 * registerTile}>(${rows.flatMap((i) => tile.columns.map((s) => `c${i}_${s}`)).join(", ")});
  for (var i = 0u; i < u.height; i++) {
    ${tile.columns.map((s, i) => `store(z, row0 + i, column${s}, sums[i * 2u + ${i}u]);`).join(" ")}
  }`,
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
  // An index into the sums that is no literal would move them out of registers: all are computed again where one is not finite.
  const again = op.padding
    ? `let finite = areFinite(sums[0]) & areFinite(sums[1]) & areFinite(sums[2]) & areFinite(sums[3]);
  if (all(finite)) { return; }
  for (var e = 0u; e < u.elements; e++) {
    let row = firstRow + local.y * 4u + e / 4u;
    let column = firstColumn + local.x + (e % 4u) * 16u;
    if (row < u.m && column < u.n && touchesPadding(row)) {
      storeOne(z, row, column, sumWithoutPadding(z, row, column));
    }
  }`
    : "";
  backend.launch({
    name: op.name,
    key: `workgroup/${op.key}/${op.aRunsAlongK}${op.bRunsAlongK}`,
    inputs: op.inputs,
    outputs: [op.output],
    // If the number of an invocation's elements were a literal, adapters would unroll the loop that computes them again.
    uniforms: [
      ...[u32("m", m), u32("n", n), u32("k", k)],
      ...(op.padding ? [u32("elements", 16)] : []),
      ...op.uniforms,
    ],
    workgroups: [Math.ceil(n / tile), Math.ceil(m / tile), batch],
    workgroupSize: [16, 16, 1],
    declarations: () => `${storeOneDeclaration(op)}${paddingDeclaration(op)}
${op.read}
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
  }
  ${again}`,
  });
}
