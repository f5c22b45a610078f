import type { Binding, Uniform } from "../launch.js";
import { u32 } from "../launch.js";
import type { WebGPUBackend } from "../webgpu-backend.js";

export interface RowLaunch {
  name: string;
  key?: string;
  inputs: readonly Binding[];
  outputs: readonly Binding[];
  rows: number;
  /** Elements that a row has to go through; decides whether a workgroup shares it. */
  rowLength: number;
  uniforms?: readonly Uniform[];
  declarations?: string;
  /**
   * WGSL that sees `row` and goes through its elements with `for (var j = lane; j < n; j += lanes)`; `sumLanes(v)` and
   * `maxLanes(v)` combine the lanes' values. What only one lane shall do, it guards by `lane == 0u`.
   */
  body: string;
}

const groupLanes = 64;

/**
 * A kernel that reduces rows: one text for a GPU, where 64 lanes of a workgroup share a row and combine through
 * workgroup memory, and for CPU adapters and short rows, where one invocation owns a row and barriers would only cost.
 */
export function launchRows(backend: WebGPUBackend, op: RowLaunch): void {
  if (op.rows === 0) return;
  const shared = !backend.isSoftware && op.rowLength >= groupLanes;
  const base = {
    name: op.name,
    key: `${op.key ?? ""}/${shared ? "workgroup" : "invocation"}`,
    inputs: op.inputs,
    outputs: op.outputs,
  };
  if (!shared) {
    backend.launch({
      ...base,
      count: op.rows,
      uniforms: op.uniforms,
      declarations: () => `${op.declarations ?? ""}
const lanes = 1u;
const lane = 0u;
fn sumLanes(value: f32) -> f32 { return value; }
fn maxLanes(value: f32) -> f32 { return value; }`,
      body: () => `let row = index;\n  ${op.body}`,
    });
    return;
  }
  const most = 32768;
  const tree = (name: string, combined: string) => `
fn ${name}(value: f32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  for (var half = ${groupLanes / 2}u; half > 0u; half /= 2u) {
    if (lane < half) {
      let a = partial[lane];
      let b = partial[lane + half];
      partial[lane] = ${combined};
    }
    workgroupBarrier();
  }
  let all = partial[0];
  workgroupBarrier();
  return all;
}`;
  backend.launch({
    ...base,
    workgroups: [Math.min(op.rows, most), Math.ceil(op.rows / most), 1],
    workgroupSize: [groupLanes, 1, 1],
    uniforms: [u32("rows", op.rows), ...(op.uniforms ?? [])],
    declarations: () => `${op.declarations ?? ""}
const lanes = ${groupLanes}u;
var<private> lane: u32;
var<workgroup> partial: array<f32, ${groupLanes}>;
${tree("sumLanes", "a + b")}
${tree("maxLanes", "max(a, b)")}`,
    body: () => `lane = localIndex;
  let row = group.x + group.y * groups.x;
  if (row >= u.rows) { return; }
  ${op.body}`,
  });
}
